// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package measure

import (
	"context"
	"fmt"

	"github.com/headroom-dev/headroom/policy"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/headroom-dev/headroom/hack/bench/review"
)

// The pod that is asked about wants askedImage on the one node with freshLabel. Another pod pulls pulledImage there: on a disk of
// 200 GiB there is room for either, and not for both above the line where pods are evicted, at 30 GiB.
const (
	freshLabel  = "bench.example.com/fresh"
	askedImage  = "bench.example.com/asked:v1"
	askedBytes  = int64(40) << 30
	pulledImage = "bench.example.com/pulled:v1"
)

// declared is a policy that tells how large all disks are, for no kubelet is asked where it is in force, and two images that no
// registry is asked about.
const declared = `apiVersion: headroom.dev/v1alpha1
kind: Policy
nodePools: [{name: all, selector: {}, elastic: false, imageFilesystem: 200Gi}]
images:
- {match: bench.example.com/asked, size: 40Gi}
- {match: bench.example.com/pulled, size: 170Gi}
`

// declare puts that policy in force.
func declare(ctx context.Context, client kubernetes.Interface) error {
	settings := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: policy.ConfigMapName}, Data: map[string]string{"policy.yaml": declared}}
	if _, err := client.CoreV1().ConfigMaps(policy.Namespace).Create(ctx, settings, metav1.CreateOptions{}); err != nil {
		return fmt.Errorf("make the policy: %w", err)
	}
	return nil
}

// askedPod can go to a node with freshLabel only.
func askedPod() *corev1.Pod {
	pod := review.Pods([]string{askedImage})[0]
	pod.Spec.NodeSelector = map[string]string{freshLabel: "true"}
	return pod
}

// pulledTo makes a node and a pod that is bound to it.
func pulledTo(name string) (*corev1.Node, *corev1.Pod) {
	node := &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{
			corev1.LabelHostname: name, corev1.LabelOSStable: "linux", corev1.LabelArchStable: "amd64", freshLabel: "true",
		}},
		Status: corev1.NodeStatus{
			Allocatable: corev1.ResourceList{
				corev1.ResourceCPU: resource.MustParse("64"), corev1.ResourceMemory: resource.MustParse("256Gi"), corev1.ResourcePods: resource.MustParse("250"),
			},
			Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}},
			NodeInfo:   corev1.NodeSystemInfo{OperatingSystem: "linux", Architecture: "amd64", ContainerRuntimeVersion: "containerd://2.2.1"},
		},
	}
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: metav1.NamespaceDefault},
		Spec:       corev1.PodSpec{NodeName: name, Containers: []corev1.Container{{Name: "main", Image: pulledImage, ImagePullPolicy: corev1.PullIfNotPresent}}},
		Status:     corev1.PodStatus{Phase: corev1.PodPending},
	}
	return node, pod
}
