// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fleet

import (
	"fmt"
	"strings"
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

// Pod is pod k that runs on node i: of a template whose image that node lists, with a sidecar that every node has.
func (s Spec) Pod(i, k int) *corev1.Pod {
	own := s.imageOn(i, commonImages+k%max(1, s.ImagesPerNode-commonImages))
	images := []int{own, own % commonImages}
	pod := pod(own, i, k, imageName(images[0]), imageName(images[1]))
	pod.Spec.NodeName = nodeName(i)
	pod.Status.Phase = corev1.PodRunning
	for n, image := range images {
		c := &pod.Spec.Containers[n]
		pod.Status.ContainerStatuses = append(pod.Status.ContainerStatuses, corev1.ContainerStatus{
			Name: c.Name, Image: c.Image, ImageID: digestOf(image), Ready: true,
			State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(Epoch.Add(-time.Hour))}},
		})
	}
	return pod
}

// WaitingPod is number k of the pods that wait for a node. In a burst they are of the kinds that load is made of, and in their
// namespace; otherwise neither.
func (s Spec) WaitingPod(k int) *corev1.Pod {
	wanted := Wanted()
	images := []string{imageName(commonImages + 100 + k%100)}
	if s.Kind == Burst {
		images = []string{strings.TrimSuffix(wanted[k%len(wanted)], tag), strings.TrimSuffix(wanted[(k+1)%len(wanted)], tag)}
	}
	pod := pod(k, nowhere, k, images...)
	pod.Status.Phase = corev1.PodPending
	if s.Kind != Burst {
		pod.Namespace = "batch"
	}
	return pod
}

// nowhere is no node's number.
const nowhere = 1 << 20

// pod is number k of place i, of a template: its name and UID are like those that API servers make.
func pod(template, i, k int, images ...string) *corev1.Pod {
	pod := &corev1.Pod{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: metav1.ObjectMeta{
			Name: fmt.Sprintf("checkout-%04d-6d4b75cb6d-%s", template, suffix(i<<8+k)), Namespace: "shop",
			UID: types.UID(fmt.Sprintf("%08x-0000-4000-8000-%012x", i, k)), CreationTimestamp: metav1.NewTime(Epoch.Add(-time.Minute)),
			Labels: map[string]string{"app": fmt.Sprintf("checkout-%04d", template), "pod-template-hash": "6d4b75cb6d"},
		},
	}
	for n, image := range images {
		pod.Spec.Containers = append(pod.Spec.Containers, corev1.Container{
			Name: fmt.Sprint("container-", n), Image: image + tag, ImagePullPolicy: corev1.PullIfNotPresent,
			Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{
				corev1.ResourceCPU: resource.MustParse("100m"), corev1.ResourceMemory: resource.MustParse("128Mi"),
			}},
		})
	}
	return pod
}

// suffix is what an API server adds to the name of a ReplicaSet's pod: five of 27 letters and digits.
func suffix(n int) string {
	const alphabet = "bcdfghjklmnpqrstvwxz2456789"
	var text [5]byte
	for i := range text {
		text[i] = alphabet[n%len(alphabet)]
		n /= len(alphabet)
	}
	return string(text[:])
}
