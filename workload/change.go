// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package workload

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
)

// Changed reports whether w may make other pods than old did, place them elsewhere, or make more of them.
func (w *Workload) Changed(old *Workload) bool {
	return !SameImages(&w.Template.Spec, &old.Template.Spec) ||
		!samePlacement(&w.Template.Spec, &old.Template.Spec) ||
		w.Replicas > old.Replicas ||
		old.Suspended && !w.Suspended
}

// SameImages reports whether two pod specs name the same images in the same order.
func SameImages(a, b *corev1.PodSpec) bool { return slices.Equal(names(a), names(b)) }

// names are the images as they are written, each list's with a mark of its own.
func names(spec *corev1.PodSpec) []string {
	var all []string
	for i := range spec.Volumes {
		if image := spec.Volumes[i].Image; image != nil {
			all = append(all, "v"+image.Reference)
		}
	}
	for i := range spec.InitContainers {
		all = append(all, "i"+spec.InitContainers[i].Image)
	}
	for i := range spec.Containers {
		all = append(all, "c"+spec.Containers[i].Image)
	}
	for i := range spec.EphemeralContainers {
		all = append(all, "e"+spec.EphemeralContainers[i].Image)
	}
	return all
}

func samePlacement(a, b *corev1.PodSpec) bool {
	return a.NodeName == b.NodeName &&
		apiequality.Semantic.DeepEqual(a.NodeSelector, b.NodeSelector) &&
		apiequality.Semantic.DeepEqual(a.Affinity, b.Affinity) &&
		apiequality.Semantic.DeepEqual(a.Tolerations, b.Tolerations) &&
		apiequality.Semantic.DeepEqual(a.OS, b.OS) &&
		apiequality.Semantic.DeepEqual(a.TopologySpreadConstraints, b.TopologySpreadConstraints)
}
