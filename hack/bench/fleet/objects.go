// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fleet

import (
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

func nodeName(i int) string { return fmt.Sprintf("node-%05d", i) }

// Node is the object of node i.
func (s Spec) Node(i int) *corev1.Node {
	name, pool := nodeName(i), i%4
	node := &corev1.Node{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Node"},
		ObjectMeta: metav1.ObjectMeta{
			Name: name, UID: types.UID("node-uid-" + name), CreationTimestamp: metav1.NewTime(Epoch.Add(-time.Hour)),
			Labels: map[string]string{
				corev1.LabelHostname: name, corev1.LabelOSStable: "linux", corev1.LabelArchStable: "amd64",
				corev1.LabelTopologyZone: fmt.Sprint("zone-", i%3), "pool": fmt.Sprint("pool-", pool),
			},
		},
		Status: corev1.NodeStatus{
			Capacity: corev1.ResourceList{corev1.ResourceEphemeralStorage: *resource.NewQuantity(diskBytes, resource.BinarySI)},
			Allocatable: corev1.ResourceList{
				corev1.ResourceCPU: resource.MustParse("64"), corev1.ResourceMemory: resource.MustParse("256Gi"), corev1.ResourcePods: resource.MustParse("250"),
			},
			Conditions: []corev1.NodeCondition{
				{Type: corev1.NodeReady, Status: corev1.ConditionTrue}, {Type: corev1.NodeDiskPressure, Status: corev1.ConditionFalse},
			},
			NodeInfo: corev1.NodeSystemInfo{
				OperatingSystem: "linux", Architecture: "amd64", ContainerRuntimeVersion: "containerd://2.4.2", KubeletVersion: "v1.37.2", BootID: "boot-" + name,
			},
			Images: s.listed(i),
		},
	}
	if pool == 3 {
		node.Spec.Taints = []corev1.Taint{{Key: "example.com/gpu", Effect: corev1.TaintEffectNoSchedule}}
	}
	return node
}

// Pod is pod k that runs on node i, with two images of that node.
func (s Spec) Pod(i, k int) *corev1.Pod {
	pod := pod(fmt.Sprintf("pod-%05d-%03d", i, k), imageName(s.imageOn(i, k%commonImages)), imageName(s.imageOn(i, k%s.ImagesPerNode)))
	pod.Spec.NodeName = nodeName(i)
	pod.Status.Phase = corev1.PodRunning
	for n := range pod.Spec.Containers {
		c := &pod.Spec.Containers[n]
		pod.Status.ContainerStatuses = append(pod.Status.ContainerStatuses, corev1.ContainerStatus{
			Name: c.Name, Image: c.Image, ImageID: c.Image, Ready: true,
			State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(Epoch.Add(-time.Hour))}},
		})
	}
	return pod
}

// WaitingPod is number k of the pods that wait for a node.
func (s Spec) WaitingPod(k int) *corev1.Pod {
	pod := pod(fmt.Sprintf("waiting-%05d", k), imageName(k%commonImages), imageName(commonImages+k%100))
	pod.Status.Phase = corev1.PodPending
	return pod
}

func pod(name string, images ...string) *corev1.Pod {
	pod := &corev1.Pod{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: metav1.ObjectMeta{
			Name: name, Namespace: "shop", UID: types.UID("pod-uid-" + name), CreationTimestamp: metav1.NewTime(Epoch.Add(-time.Minute)),
			Labels: map[string]string{"app": "checkout", "pod-template-hash": "6d4b75cb6d"},
		},
	}
	for i, image := range images {
		pod.Spec.Containers = append(pod.Spec.Containers, corev1.Container{
			Name: fmt.Sprint("container-", i), Image: image + ":v1", ImagePullPolicy: corev1.PullIfNotPresent,
			Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{
				corev1.ResourceCPU: resource.MustParse("100m"), corev1.ResourceMemory: resource.MustParse("128Mi"),
			}},
		})
	}
	return pod
}
