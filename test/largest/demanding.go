// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package largest

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
)

// images, wishes and most are how much of each kind a demanding pod has: images that the API server takes in one request,
// affinity and tolerations of which all are looked at, and of which none are.
const (
	images = 1500
	wishes = 2000
	most   = 10_000
)

// Demanding returns pods that take the most work for what they are: those that [Pods] returns are larger, and soon done with.
// Each has images of its own, of which image names the i-th.
func Demanding(image func(i int) string) map[string]*corev1.Pod {
	containers := func(first, n int) (all []corev1.Container) {
		for i := range n {
			all = append(all, corev1.Container{Name: fmt.Sprint("c", first+i), Image: image(first + i), ImagePullPolicy: corev1.PullIfNotPresent})
		}
		return all
	}
	volumes := func(pod *corev1.Pod, n int) {
		for i := range n {
			pod.Spec.Volumes = append(pod.Spec.Volumes, corev1.Volume{Name: fmt.Sprint("v", i), VolumeSource: corev1.VolumeSource{
				Image: &corev1.ImageVolumeSource{Reference: image(i), PullPolicy: corev1.PullAlways},
			}})
		}
	}
	kinds := map[string]func(*corev1.Pod){
		"Containers":          func(pod *corev1.Pod) { pod.Spec.Containers = containers(0, images) },
		"InitContainers":      func(pod *corev1.Pod) { pod.Spec.InitContainers = containers(0, images) },
		"Volumes":             func(pod *corev1.Pod) { volumes(pod, images) },
		"Terms":               func(pod *corev1.Pod) { affinity(pod, wishes/3, 1, 1) },
		"Expressions":         func(pod *corev1.Pod) { affinity(pod, 5, wishes/11, 1) },
		"Values":              func(pod *corev1.Pod) { affinity(pod, 1, 1, wishes-2) },
		"Tolerations":         func(pod *corev1.Pod) { tolerations(pod, wishes) },
		"TooManyExpressions":  func(pod *corev1.Pod) { affinity(pod, 1, most, 1) },
		"TooManyTerms":        func(pod *corev1.Pod) { affinity(pod, most, 1, 1) },
		"TooManyTolerations":  func(pod *corev1.Pod) { tolerations(pod, most) },
		"EphemeralContainers": func(pod *corev1.Pod) { debugged(pod, containers(0, images)) },
		"Everything": func(pod *corev1.Pod) {
			pod.Spec.InitContainers, pod.Spec.Containers = containers(0, images/2), containers(images/2, images/2)
			volumes(pod, images)
			affinity(pod, wishes/3, 1, 1)
			tolerations(pod, wishes)
		},
	}
	pods := map[string]*corev1.Pod{}
	for kind, change := range kinds {
		pod := plain(image(0))
		change(pod)
		pods[kind] = pod
	}
	return pods
}

// affinity adds terms of which only the last value of the last one's expressions lets the pod onto a node: all have to be
// looked at.
func affinity(pod *corev1.Pod, terms, expressions, values int) {
	for i := range terms {
		var term corev1.NodeSelectorTerm
		for k := range expressions {
			r := corev1.NodeSelectorRequirement{Key: corev1.LabelHostname, Operator: corev1.NodeSelectorOpNotIn, Values: []string{fmt.Sprint("other-", k)}}
			if k == expressions-1 && i < terms-1 {
				r.Operator = corev1.NodeSelectorOpIn
			}
			for v := 1; v < values; v++ {
				r.Values = append(r.Values, fmt.Sprintf("other-%d-%d", k, v))
			}
			term.MatchExpressions = append(term.MatchExpressions, r)
		}
		addTerm(pod, term)
	}
}

// tolerations adds some of which the last one counts for nothing, either.
func tolerations(pod *corev1.Pod, n int) {
	for i := range n {
		pod.Spec.Tolerations = append(pod.Spec.Tolerations, corev1.Toleration{
			Key: Taint, Operator: corev1.TolerationOpEqual, Value: fmt.Sprint("value-", n-i), Effect: corev1.TaintEffectNoSchedule,
		})
	}
}

// Taint is the key of the taints that demanding pods tolerate, with values from "value-1": that is the last that is compared.
const Taint = "example.com/dedicated"

// debugged gives a pod that runs already these containers to look into it.
func debugged(pod *corev1.Pod, containers []corev1.Container) {
	for _, c := range containers {
		pod.Spec.EphemeralContainers = append(pod.Spec.EphemeralContainers, corev1.EphemeralContainer{
			EphemeralContainerCommon: corev1.EphemeralContainerCommon{Name: c.Name, Image: c.Image, ImagePullPolicy: c.ImagePullPolicy},
		})
	}
}
