// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fit

import (
	"cmp"
	"fmt"
	"maps"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/headroom-dev/headroom/estimate"
	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/imagesize"
	"github.com/headroom-dev/headroom/ledger"
	"github.com/headroom-dev/headroom/placement"
	"github.com/headroom-dev/headroom/policy"
)

// These worlds count in single bytes: disks of 1000 bytes with their lines at 160 and 150, and images that take as many
// bytes on disk as their registry says.

var (
	epoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	linux = imagesize.Platform{OS: "linux", Architecture: "amd64"}
)

// node is one node of a test's world.
type node struct {
	name                string
	capacity, available int64
	images              map[string]int64 // nil for none, listed
	age                 time.Duration    // of the sample
	unmeasured          bool
	labels              map[string]string
	taints              []corev1.Taint
	cordoned, notReady  bool
	extended            map[corev1.ResourceName]int64 // besides CPU, memory and pods
	// inodes and inodesFree are 0 where the kubelet does not tell.
	inodes, inodesFree int64
	milliCPU           int64 // 0 for eight cores
}

func (n node) row() ledger.Node {
	row := ledger.Node{
		Node: placement.Node{
			Name: n.name, Labels: map[string]string{corev1.LabelHostname: n.name}, Taints: n.taints,
			Unschedulable: n.cordoned, Ready: !n.notReady, OS: linux.OS, Architecture: linux.Architecture,
			Allocatable: placement.Resources{MilliCPU: cmp.Or(n.milliCPU, 8000), MemoryBytes: 64 << 30, Pods: 110, Extended: n.extended},
		},
		UID: types.UID(n.name), Runtime: imagesize.Containerd, EphemeralStorageBytes: n.capacity, Images: []ledger.ListedImage{},
	}
	maps.Copy(row.Labels, n.labels)
	for name, size := range n.images {
		ref, err := imageref.Parse(name)
		if err != nil {
			panic(err) // A mistake of the test.
		}
		row.Images = append(row.Images, ledger.ListedImage{Refs: []imageref.Ref{ref}, NameCount: 1, ReportedBytes: size})
	}
	return row
}

// lines are those of a kubelet that lists all its images.
func lines() ledger.Lines {
	return ledger.Lines{
		GCHighPercent: 85, GCLowPercent: 80, MaxImagesListed: -1,
		Thresholds: []ledger.Threshold{
			{Signal: ledger.ImageFSAvailable, Percent: 15}, {Signal: ledger.ImageFSInodesFree, Percent: 5},
		},
	}
}

// world is a ledger that has seen these nodes and is synced.
func world(nodes ...node) *ledger.Ledger {
	l := ledger.New()
	for _, n := range nodes {
		l.SetNode(n.row())
		l.SetLines(n.name, types.UID(n.name), lines())
		if !n.unmeasured {
			l.SetMeasurement(n.name, ledger.Measurement{
				NodeUID: types.UID(n.name), CapacityBytes: n.capacity, AvailableBytes: n.available,
				SampledAt: epoch.Add(-n.age), AgeAtReceipt: n.age, ReceivedAt: epoch,
				Inodes: n.inodes, InodesFree: n.inodesFree,
			})
		}
	}
	l.MarkSynced()
	return l
}

// full and roomy are nodes on which 100 more bytes evict pods, and do nothing.
func full(name string) node  { return node{name: name, capacity: 1000, available: 200} }
func roomy(name string) node { return node{name: name, capacity: 1000, available: 900} }

// registry tells the ledger what these images take.
func registry(t testing.TB, l *ledger.Ledger, images map[string]int64) {
	t.Helper()
	for name, size := range images {
		l.SetManifest(ref(t, name), linux, imagesize.Manifest{CompressedBytes: size})
	}
}

func ref(t testing.TB, name string) imageref.Ref {
	t.Helper()
	r, err := imageref.Parse(name)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// enforcing is the default policy in mode Enforce, by which an image takes on disk what is reported.
func enforcing() *policy.Policy {
	p := policy.Default()
	p.Mode = policy.Enforce
	p.NodePools = []policy.NodePool{{
		Name: "all", Elastic: policy.ElasticAuto, DiskFactor: &estimate.Factor{Low: 1, Likely: 1, High: 1},
	}}
	return p
}

// podOf is a pod that runs these images, as the API server would admit it.
func podOf(images ...string) *corev1.Pod {
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "pod", UID: "judged"}}
	for i, image := range images {
		pod.Spec.Containers = append(pod.Spec.Containers, corev1.Container{
			Name: fmt.Sprint("c", i), Image: image, ImagePullPolicy: corev1.PullIfNotPresent,
		})
	}
	return pod
}

// bind writes a pod that is bound to a node at a time and has not pulled anything yet.
func bind(l *ledger.Ledger, name, node string, at time.Time, images ...imageref.Ref) {
	pod := ledger.Pod{UID: types.UID(name), Namespace: "team", Name: name, NodeName: node}
	for _, image := range images {
		pod.Images = append(pod.Images, ledger.PodImage{Ref: image, PullPolicy: corev1.PullIfNotPresent})
	}
	l.SetPod(pod, at)
}
