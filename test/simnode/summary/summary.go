// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

// Package summary writes Summaries as large as those of busy nodes, and as the
// kubelet writes them. Its one job is their size and shape: the figures are made
// up, and the same for every pod.
package summary

import (
	"encoding/json"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	statsv1alpha1 "k8s.io/kubelet/pkg/apis/stats/v1alpha1"
)

// Encode returns the body of /stats/summary. The kubelet indents it by one space for
// each level and does not compress it (go-restful's writeJSON with
// PrettyPrintResponses, which the kubelet leaves at its default).
func Encode(s *statsv1alpha1.Summary) ([]byte, error) { return json.MarshalIndent(s, "", " ") }

// Pods returns the figures of n pods with a container and a half each, with all that
// a kubelet of 1.37 on cgroup v2 tells.
func Pods(n int, at time.Time) []statsv1alpha1.PodStats {
	f := figures{metav1.NewTime(at.Truncate(time.Second))}
	pods := make([]statsv1alpha1.PodStats, 0, n)
	for i := range n {
		pod := statsv1alpha1.PodStats{
			PodRef: statsv1alpha1.PodReference{
				Name: fmt.Sprintf("web-frontend-7d9c5b8f6d-%05x", i), Namespace: "team-frontend", UID: fmt.Sprintf("3b6c1a52-8a0e-4d0e-9d3c-%012x", i),
			},
			StartTime: f.at, CPU: f.cpu(), Memory: f.memory(), IO: f.io(), Network: f.network(1), EphemeralStorage: f.disk(),
			ProcessStats: &statsv1alpha1.ProcessStats{ProcessCount: new(uint64(12))}, Swap: f.swap(),
			Containers: []statsv1alpha1.ContainerStats{f.container("app")},
		}
		if i%2 == 1 {
			pod.Containers = append(pod.Containers, f.container("istio-proxy"))
		}
		for _, name := range []string{"kube-api-access-x7k2p", "config"} {
			pod.VolumeStats = append(pod.VolumeStats, statsv1alpha1.VolumeStats{FsStats: *f.disk(), Name: name})
		}
		pods = append(pods, pod)
	}
	return pods
}

// AddNodeFigures fills in what a kubelet tells of its node besides file systems.
// interfaces is how many network interfaces it has: some network plugins make one
// for each pod.
func AddNodeFigures(node *statsv1alpha1.NodeStats, interfaces int, at time.Time) {
	f := figures{metav1.NewTime(at.Truncate(time.Second))}
	node.CPU, node.Memory, node.IO, node.Network, node.Swap = f.cpu(), f.memory(), f.io(), f.network(interfaces), f.swap()
	node.Rlimit = &statsv1alpha1.RlimitStats{Time: f.at, MaxPID: new(int64(4 << 20)), NumOfRunningProcesses: new(int64(1234))}
	for _, name := range []string{
		statsv1alpha1.SystemContainerKubelet, statsv1alpha1.SystemContainerRuntime, statsv1alpha1.SystemContainerPods,
	} {
		container := f.container(name)
		container.Rootfs, container.Logs = nil, nil
		node.SystemContainers = append(node.SystemContainers, container)
	}
}

// figures are all of one time.
type figures struct{ at metav1.Time }

func (f figures) container(name string) statsv1alpha1.ContainerStats {
	return statsv1alpha1.ContainerStats{
		Name: name, StartTime: f.at, CPU: f.cpu(), Memory: f.memory(), IO: f.io(), Rootfs: f.disk(), Logs: f.disk(), Swap: f.swap(),
	}
}

func (f figures) cpu() *statsv1alpha1.CPUStats {
	return &statsv1alpha1.CPUStats{Time: f.at, UsageNanoCores: new(uint64(12_345_678)), UsageCoreNanoSeconds: new(uint64(1_234_567_890_123)), PSI: pressure()}
}

func (f figures) memory() *statsv1alpha1.MemoryStats {
	return &statsv1alpha1.MemoryStats{
		Time: f.at, AvailableBytes: new(uint64(12_345_678_901)), UsageBytes: new(uint64(123_456_789)), WorkingSetBytes: new(uint64(123_456_789)),
		RSSBytes: new(uint64(12_345_678)), PageFaults: new(uint64(1_234_567)), MajorPageFaults: new(uint64(123)), PSI: pressure(),
	}
}

func (f figures) io() *statsv1alpha1.IOStats {
	return &statsv1alpha1.IOStats{Time: f.at, PSI: pressure()}
}

func (f figures) swap() *statsv1alpha1.SwapStats {
	return &statsv1alpha1.SwapStats{Time: f.at, SwapAvailableBytes: new(uint64(0)), SwapUsageBytes: new(uint64(0))}
}

func (f figures) disk() *statsv1alpha1.FsStats {
	return &statsv1alpha1.FsStats{
		Time: f.at, AvailableBytes: new(uint64(60_123_456_789)), CapacityBytes: new(uint64(107_374_182_400)), UsedBytes: new(uint64(1_234_567_890)),
		InodesFree: new(uint64(6_400_000)), Inodes: new(uint64(6_553_600)), InodesUsed: new(uint64(153_600)),
	}
}

func (f figures) network(interfaces int) *statsv1alpha1.NetworkStats {
	one := func(name string) statsv1alpha1.InterfaceStats {
		return statsv1alpha1.InterfaceStats{Name: name, RxBytes: new(uint64(123_456_789_012)), RxErrors: new(uint64(0)), TxBytes: new(uint64(12_345_678_901)), TxErrors: new(uint64(0))}
	}
	network := &statsv1alpha1.NetworkStats{Time: f.at, InterfaceStats: one("eth0")}
	for i := range interfaces {
		network.Interfaces = append(network.Interfaces, one(fmt.Sprintf("cali%011x", 7919*i)))
	}
	return network
}

func pressure() *statsv1alpha1.PSIStats {
	data := statsv1alpha1.PSIData{Total: 123_456_789_012, Avg10: 0.12, Avg60: 0.34, Avg300: 0.56}
	return &statsv1alpha1.PSIStats{Full: data, Some: data}
}
