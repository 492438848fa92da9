// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/imagesize"
	"github.com/headroom-dev/headroom/ledger"
)

// refs lets go-cmp compare images by their canonical name.
var refs = cmp.Comparer(func(a, b imageref.Ref) bool { return a == b })

func mustRef(t *testing.T, name string) imageref.Ref {
	t.Helper()
	ref, err := imageref.Parse(name)
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

func TestNodeOf(t *testing.T) {
	for name, test := range map[string]struct {
		node *corev1.Node
		want func(*ledger.Node)
	}{
		"everything a kubelet tells": {
			node: richNode(),
			want: func(n *ledger.Node) {
				n.Name, n.UID, n.BootID = "a", "uid-a", "boot-1"
				n.Labels = map[string]string{"pool": "gpu", corev1.LabelOSStable: "linux"}
				n.Taints = []corev1.Taint{{Key: "gpu", Effect: corev1.TaintEffectNoSchedule}}
				n.Unschedulable, n.Ready, n.DiskPressure = true, true, false
				n.OS, n.Architecture = "linux", "arm64"
				n.Runtime = imagesize.Containerd
				n.EphemeralStorageBytes = 100 << 30
				n.Allocatable.MilliCPU, n.Allocatable.MemoryBytes, n.Allocatable.Pods = 3900, 8<<30, 110
				n.Allocatable.Extended = map[corev1.ResourceName]int64{"nvidia.com/gpu": 2}
				n.Images = []ledger.ListedImage{
					{Refs: []imageref.Ref{mustRef(t, "nginx:1.29")}, NameCount: 2, ReportedBytes: 70 << 20},
					{NameCount: 0, ReportedBytes: 0},
				}
			},
		},
		"a list that is not there stays apart from an empty one": {
			node: &corev1.Node{Status: corev1.NodeStatus{Images: []corev1.ContainerImage{}}},
			want: func(n *ledger.Node) { n.Images = []ledger.ListedImage{} },
		},
		"nothing known": {
			node: &corev1.Node{},
			want: func(*ledger.Node) {},
		},
		"labels stand in for what a young node's status does not tell": {
			node: &corev1.Node{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{
				corev1.LabelOSStable: "windows", corev1.LabelArchStable: "amd64",
			}}},
			want: func(n *ledger.Node) {
				n.Labels = map[string]string{corev1.LabelOSStable: "windows", corev1.LabelArchStable: "amd64"}
				n.OS, n.Architecture = "windows", "amd64"
			},
		},
		"an unknown condition is not true": {
			node: &corev1.Node{Status: corev1.NodeStatus{Conditions: []corev1.NodeCondition{
				{Type: corev1.NodeReady, Status: corev1.ConditionUnknown},
				{Type: corev1.NodeDiskPressure, Status: corev1.ConditionTrue},
			}}},
			want: func(n *ledger.Node) { n.DiskPressure = true },
		},
		"a negative capacity is no capacity": {
			node: &corev1.Node{Status: corev1.NodeStatus{Capacity: corev1.ResourceList{
				corev1.ResourceEphemeralStorage: resource.MustParse("-1Gi"),
			}}},
			want: func(*ledger.Node) {},
		},
		"quantities that no int64 holds are as large as can be": {
			node: &corev1.Node{Status: corev1.NodeStatus{
				Capacity:    corev1.ResourceList{corev1.ResourceEphemeralStorage: resource.MustParse("10E")},
				Allocatable: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("10E"), corev1.ResourceMemory: resource.MustParse("10E")},
			}},
			want: func(n *ledger.Node) {
				n.EphemeralStorageBytes, n.Allocatable.MilliCPU, n.Allocatable.MemoryBytes = math.MaxInt64, math.MaxInt64, math.MaxInt64
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var want ledger.Node
			test.want(&want)
			if diff := cmp.Diff(want, NodeOf(test.node), refs); diff != "" {
				t.Errorf("NodeOf (-want +got):\n%s", diff)
			}
		})
	}
}

// richNode has every field that NodeOf and TargetOf read, and some that they don't.
func richNode() *corev1.Node {
	return &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{
			Name: "a", UID: "uid-a", ResourceVersion: "7",
			Labels:        map[string]string{"pool": "gpu", corev1.LabelOSStable: "linux"},
			Annotations:   map[string]string{"volumes.kubernetes.io/controller-managed-attach-detach": "true"},
			ManagedFields: []metav1.ManagedFieldsEntry{{Manager: "kubelet"}},
		},
		Spec: corev1.NodeSpec{
			ProviderID:    "example://a",
			Unschedulable: true,
			Taints:        []corev1.Taint{{Key: "gpu", Effect: corev1.TaintEffectNoSchedule}},
		},
		Status: corev1.NodeStatus{
			Capacity: corev1.ResourceList{
				corev1.ResourceEphemeralStorage: resource.MustParse("100Gi"), corev1.ResourceCPU: resource.MustParse("4"),
			},
			Allocatable: corev1.ResourceList{
				corev1.ResourceCPU: resource.MustParse("3900m"), corev1.ResourceMemory: resource.MustParse("8Gi"),
				corev1.ResourcePods: resource.MustParse("110"), "nvidia.com/gpu": resource.MustParse("2"),
			},
			Conditions: []corev1.NodeCondition{
				{Type: corev1.NodeMemoryPressure, Status: corev1.ConditionTrue},
				{Type: corev1.NodeDiskPressure, Status: corev1.ConditionFalse, Message: "kubelet has no disk pressure"},
				{Type: corev1.NodeReady, Status: corev1.ConditionTrue, LastHeartbeatTime: metav1.Now()},
			},
			Addresses: []corev1.NodeAddress{
				{Type: corev1.NodeHostName, Address: "a"},
				{Type: corev1.NodeInternalIP, Address: "10.0.0.7"},
				{Type: corev1.NodeInternalIP, Address: "fd00::7"},
			},
			DaemonEndpoints: corev1.NodeDaemonEndpoints{KubeletEndpoint: corev1.DaemonEndpoint{Port: 10350}},
			NodeInfo: corev1.NodeSystemInfo{
				MachineID: "m", BootID: "boot-1", ContainerRuntimeVersion: "containerd://2.4.0",
				OperatingSystem: "linux", Architecture: "arm64", KubeletVersion: "v1.37.2",
			},
			Images: []corev1.ContainerImage{
				{Names: []string{"docker.io/library/nginx:1.29", "<none>@<none>"}, SizeBytes: 70 << 20},
				{SizeBytes: -1},
			},
			VolumesInUse: []corev1.UniqueVolumeName{"v"},
		},
	}
}
