// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

// Package largest has pods that are as large as a pod can be, for tests and benchmarks: somebody may make one to do harm.
//
// Contract: pure functions; what they return is the caller's.
package largest

import (
	"encoding/json"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// MaxBytes is what the API server takes for one request. etcd takes half of it, but is asked after the webhooks.
const MaxBytes = 3 << 20

// Pods returns pods of about so many bytes of JSON, each of which is as large by another part of it. Beside that they have one
// container, which runs this image.
func Pods(app string, bytes int) map[string]*corev1.Pod {
	requirement := func(i, values int) corev1.NodeSelectorRequirement {
		r := corev1.NodeSelectorRequirement{Key: corev1.LabelHostname, Operator: corev1.NodeSelectorOpIn}
		for k := range values {
			r.Values = append(r.Values, fmt.Sprintf("n%d-%d", i, k))
		}
		return r
	}
	// Each grows a pod by the i-th of its kind.
	kinds := map[string]func(pod *corev1.Pod, i int){
		"Containers": func(pod *corev1.Pod, i int) {
			pod.Spec.Containers = append(pod.Spec.Containers, corev1.Container{
				Name: fmt.Sprint("c", i), Image: fmt.Sprintf("r%d/i%d", i%40, i), ImagePullPolicy: corev1.PullIfNotPresent,
				TerminationMessagePath: corev1.TerminationMessagePathDefault, TerminationMessagePolicy: corev1.TerminationMessageReadFile,
			})
		},
		"Volumes": func(pod *corev1.Pod, i int) {
			pod.Spec.Volumes = append(pod.Spec.Volumes, corev1.Volume{Name: fmt.Sprint("v", i), VolumeSource: corev1.VolumeSource{
				Image: &corev1.ImageVolumeSource{Reference: fmt.Sprintf("r%d/v%d", i%40, i)},
			}})
		},
		"OneRepository": func(pod *corev1.Pod, i int) {
			pod.Spec.Volumes = append(pod.Spec.Volumes, corev1.Volume{Name: fmt.Sprint("v", i), VolumeSource: corev1.VolumeSource{
				Image: &corev1.ImageVolumeSource{Reference: fmt.Sprintf("r/v:%d", i)},
			}})
		},
		"LongNames": func(pod *corev1.Pod, i int) {
			pod.Spec.InitContainers = append(pod.Spec.InitContainers, corev1.Container{Name: fmt.Sprint("c", i), Image: fmt.Sprint(strings.Repeat("a/", 5000), i)})
		},
		"EmptyVolumes": func(pod *corev1.Pod, i int) {
			pod.Spec.Volumes = append(pod.Spec.Volumes, corev1.Volume{Name: fmt.Sprint("v", i), VolumeSource: corev1.VolumeSource{Image: &corev1.ImageVolumeSource{}}})
		},
		"Terms": func(pod *corev1.Pod, i int) {
			addTerm(pod, corev1.NodeSelectorTerm{MatchExpressions: []corev1.NodeSelectorRequirement{requirement(i, 1)}})
		},
		"Values": func(pod *corev1.Pod, i int) {
			addTerm(pod, corev1.NodeSelectorTerm{MatchExpressions: []corev1.NodeSelectorRequirement{requirement(i, 10_000)}})
		},
		"Fields": func(pod *corev1.Pod, i int) {
			addTerm(pod, corev1.NodeSelectorTerm{
				MatchFields:      []corev1.NodeSelectorRequirement{{Key: "metadata.name", Operator: corev1.NodeSelectorOpNotIn, Values: []string{fmt.Sprint("n", i)}}},
				MatchExpressions: []corev1.NodeSelectorRequirement{requirement(i, 1)},
			})
		},
		"Tolerations": func(pod *corev1.Pod, i int) {
			pod.Spec.Tolerations = append(pod.Spec.Tolerations, corev1.Toleration{Key: "dedicated", Value: fmt.Sprint("v", i), Effect: corev1.TaintEffectNoSchedule})
		},
		"Selector": func(pod *corev1.Pod, i int) {
			if i == 0 {
				pod.Spec.NodeSelector = map[string]string{}
			}
			pod.Spec.NodeSelector[fmt.Sprintf("example.com/l%d", i)] = "x"
		},
	}
	pods := map[string]*corev1.Pod{}
	for kind, grow := range kinds {
		pod := plain(app)
		before := sizeOf(pod)
		grow(pod, 0)
		each := sizeOf(pod) - before
		for i := 1; i < bytes/each; i++ {
			grow(pod, i)
		}
		pods[kind] = pod
	}
	return pods
}

func addTerm(pod *corev1.Pod, term corev1.NodeSelectorTerm) {
	if pod.Spec.Affinity == nil {
		pod.Spec.Affinity = &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{}}}
	}
	required := pod.Spec.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution
	required.NodeSelectorTerms = append(required.NodeSelectorTerms, term)
}

func plain(image string) *corev1.Pod {
	return &corev1.Pod{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: metav1.ObjectMeta{Name: "large", Namespace: "team-a", UID: "11111111-2222-3333-4444-555555555555"},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: image, ImagePullPolicy: corev1.PullIfNotPresent}}},
	}
}

func sizeOf(pod *corev1.Pod) int {
	text, err := json.Marshal(pod)
	if err != nil {
		panic(err) // A pod is made of what JSON can express.
	}
	return len(text)
}
