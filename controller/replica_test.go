// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// replicaOf is a running pod of a Deployment as the API server has it: a container and a sidecar, probes, environment, volumes,
// managed fields.
func replicaOf(workload, number int) *corev1.Pod {
	hash := fmt.Sprintf("%010x", workload)
	deployment := fmt.Sprintf("service-%d", workload)
	requests := corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("250m"), corev1.ResourceMemory: resource.MustParse("512Mi")}
	started := metav1.NewTime(time.Unix(1_700_000_000, 0))
	status := func(name, image string) corev1.ContainerStatus {
		return corev1.ContainerStatus{
			Name: name, Image: image, ImageID: "registry.example.com/app@" + digestA, ContainerID: "containerd://" + digestB,
			Ready: true, State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: started}},
		}
	}
	container := func(name, image string) corev1.Container {
		return corev1.Container{
			Name: name, Image: image, ImagePullPolicy: corev1.PullIfNotPresent, Resources: corev1.ResourceRequirements{Requests: requests},
			Env: []corev1.EnvVar{{Name: "A", Value: "a"}, {Name: "B", Value: "b"}}, Command: []string{"/app", "--flag"},
			VolumeMounts: []corev1.VolumeMount{{Name: "kube-api-access", MountPath: "/var/run/secrets/kubernetes.io/serviceaccount"}},
		}
	}
	image := fmt.Sprintf("registry.example.com/team-%d/service-%d:v1", workload%20, workload)
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: fmt.Sprintf("team-%d", workload%20), Name: fmt.Sprintf("%s-%s-%05d", deployment, hash, number),
			UID: types.UID(fmt.Sprintf("%08d-0000-4000-8000-%012d", workload, number)), ResourceVersion: strconv.Itoa(1000 + number),
			Labels: map[string]string{
				"app.kubernetes.io/name": deployment, "app.kubernetes.io/part-of": "shop", "pod-template-hash": hash,
			},
			OwnerReferences: []metav1.OwnerReference{{
				APIVersion: "apps/v1", Kind: "ReplicaSet", Name: deployment + "-" + hash, Controller: new(true),
				UID: types.UID(fmt.Sprintf("%08d-1111-4000-8000-000000000000", workload)),
			}},
			ManagedFields: []metav1.ManagedFieldsEntry{{Manager: "kubelet", FieldsV1: metav1.NewFieldsV1(strings.Repeat("x", 1500))}},
		},
		Spec: corev1.PodSpec{
			NodeName: fmt.Sprintf("node-%04d", number%1000), NodeSelector: map[string]string{"kubernetes.io/arch": "amd64"},
			Tolerations: []corev1.Toleration{
				{Key: "node.kubernetes.io/not-ready", Operator: "Exists", Effect: "NoExecute", TolerationSeconds: new(int64(300))},
				{Key: "node.kubernetes.io/unreachable", Operator: "Exists", Effect: "NoExecute", TolerationSeconds: new(int64(300))},
			},
			PriorityClassName: "shop", Containers: []corev1.Container{container("main", image), container("proxy", "registry.example.com/proxy:v3")},
		},
		Status: corev1.PodStatus{
			Phase:             corev1.PodRunning,
			ContainerStatuses: []corev1.ContainerStatus{status("main", image), status("proxy", "registry.example.com/proxy:v3")},
			Conditions:        []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}},
		},
	}
}

// decoded is a pod as it comes from the API server: nothing in it is shared with another.
func decoded(t testing.TB, p *corev1.Pod) *corev1.Pod {
	t.Helper()
	data, err := p.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	fresh := &corev1.Pod{}
	if err := fresh.Unmarshal(data); err != nil {
		t.Fatal(err)
	}
	return fresh
}
