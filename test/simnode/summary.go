// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package simnode

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	statsv1alpha1 "k8s.io/kubelet/pkg/apis/stats/v1alpha1"

	"github.com/headroom-dev/headroom/test/simnode/disk"
	"github.com/headroom-dev/headroom/test/simnode/summary"
)

// inodeBytes is ext4's default: one inode for every 16 KiB.
const inodeBytes = 16 << 10

// summary is what GET /stats/summary answers: the last sample, whenever it was
// taken. As with containerd, node.fs.time is the time of the sample, and
// imageFs.time and imageFs.usedBytes are the runtime's own.
func (n *Node) summary() *statsv1alpha1.Summary {
	n.mu.Lock()
	defer n.mu.Unlock()
	sample := n.engine.Sample()
	if n.frozen != nil {
		sample = *n.frozen
	}
	nodeFS := fsStats(sample.Time, sample.NodeFSCapacityBytes, sample.NodeFSAvailableBytes)
	nodeFS.UsedBytes = uintOf(sample.NodeFSCapacityBytes - sample.NodeFSAvailableBytes)
	imageFS := fsStats(sample.RuntimeTime, sample.CapacityBytes, sample.AvailableBytes)
	imageFS.UsedBytes = uintOf(sample.SnapshotBytes)

	at := metav1.NewTime(sample.Time)
	memory := n.spec.AllocatableMemory.Value()
	return &statsv1alpha1.Summary{
		Node: statsv1alpha1.NodeStats{
			NodeName: n.spec.Name, StartTime: metav1.NewTime(n.started),
			CPU: &statsv1alpha1.CPUStats{Time: at, UsageNanoCores: uintOf(1e8), UsageCoreNanoSeconds: uintOf(int64(sample.Time.Sub(n.started)) / 10)},
			Memory: &statsv1alpha1.MemoryStats{
				Time: at, AvailableBytes: uintOf(memory / 2), UsageBytes: uintOf(memory / 2), WorkingSetBytes: uintOf(memory / 2),
				RSSBytes: uintOf(memory / 4), PageFaults: uintOf(0), MajorPageFaults: uintOf(0),
			},
			Fs:      nodeFS,
			Runtime: &statsv1alpha1.RuntimeStats{ImageFs: imageFS, ContainerFs: imageFS},
			Rlimit:  &statsv1alpha1.RlimitStats{Time: at, MaxPID: new(int64(4 << 20)), NumOfRunningProcesses: new(int64(100))},
		},
		Pods: append(n.podStats(sample), summary.Pods(n.spec.OtherPods, sample.Time)...),
	}
}

func fsStats(at time.Time, capacityBytes, availableBytes int64) *statsv1alpha1.FsStats {
	inodes := capacityBytes / inodeBytes
	return &statsv1alpha1.FsStats{
		Time: metav1.NewTime(at), CapacityBytes: uintOf(capacityBytes), AvailableBytes: uintOf(availableBytes),
		Inodes: uintOf(inodes), InodesFree: uintOf(inodes - inodes/100), InodesUsed: uintOf(inodes / 100),
	}
}

// podStats lists the pods that have a running container, as the CRI provider
// does. The caller holds n.mu.
func (n *Node) podStats(sample disk.Sample) []statsv1alpha1.PodStats {
	out := []statsv1alpha1.PodStats{}
	for _, ref := range n.refs {
		state, ok := n.engine.Pod(ref.UID)
		if !ok {
			continue
		}
		p := statsv1alpha1.PodStats{PodRef: ref}
		for _, c := range append(state.InitContainers, state.Containers...) {
			if c.StartedAt.IsZero() || !c.FinishedAt.IsZero() {
				continue
			}
			rootfs := fsStats(sample.Time, sample.CapacityBytes, sample.AvailableBytes)
			rootfs.UsedBytes = uintOf(c.DiskBytes)
			logs := fsStats(sample.Time, sample.NodeFSCapacityBytes, sample.NodeFSAvailableBytes)
			logs.UsedBytes = uintOf(0)
			p.Containers = append(p.Containers, statsv1alpha1.ContainerStats{Name: c.Name, StartTime: metav1.NewTime(c.StartedAt), Rootfs: rootfs, Logs: logs})
			if p.StartTime.IsZero() {
				p.StartTime = metav1.NewTime(c.StartedAt)
			}
		}
		if len(p.Containers) > 0 {
			out = append(out, p)
		}
	}
	return out
}

// uintOf is a pointer to a count; what cannot be negative is not.
func uintOf(n int64) *uint64 { return new(uint64(max(0, n))) }
