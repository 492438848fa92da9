// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package workload

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"

	"github.com/headroom-dev/headroom/placement"
)

// Changed reports whether w may make other pods than old did, place them elsewhere, exempt them no longer by their priority
// class, or make more of them. What the policy makes of their labels it does not know.
func (w *Workload) Changed(old *Workload) bool {
	return !SameImages(&w.Template.Spec, &old.Template.Spec) ||
		!samePlacement(&w.Template.Spec, &old.Template.Spec) ||
		placement.PerNode(w.pod()) != placement.PerNode(old.pod()) ||
		w.Template.Spec.PriorityClassName != old.Template.Spec.PriorityClassName ||
		w.Replicas > old.Replicas ||
		old.Suspended && !w.Suspended
}

// SameImages reports whether two pod specs name the same images in the same order, to be pulled in the same cases.
func SameImages(a, b *corev1.PodSpec) bool { return slices.Equal(names(a), names(b)) }

// names are the images as they are written, with their pull policies, each list's with a mark of its own.
func names(spec *corev1.PodSpec) []string {
	var all []string
	for i := range spec.Volumes {
		if image := spec.Volumes[i].Image; image != nil {
			all = append(all, "v"+string(image.PullPolicy)+" "+image.Reference)
		}
	}
	for i := range spec.InitContainers {
		all = append(all, "i"+string(spec.InitContainers[i].ImagePullPolicy)+" "+spec.InitContainers[i].Image)
	}
	for i := range spec.Containers {
		all = append(all, "c"+string(spec.Containers[i].ImagePullPolicy)+" "+spec.Containers[i].Image)
	}
	for i := range spec.EphemeralContainers {
		all = append(all, "e"+string(spec.EphemeralContainers[i].ImagePullPolicy)+" "+spec.EphemeralContainers[i].Image)
	}
	return all
}

func samePlacement(a, b *corev1.PodSpec) bool {
	return a.NodeName == b.NodeName &&
		a.HostNetwork == b.HostNetwork && // pods of a DaemonSet then tolerate a node without a network
		apiequality.Semantic.DeepEqual(a.NodeSelector, b.NodeSelector) &&
		apiequality.Semantic.DeepEqual(a.Affinity, b.Affinity) &&
		apiequality.Semantic.DeepEqual(a.Tolerations, b.Tolerations) &&
		apiequality.Semantic.DeepEqual(a.OS, b.OS) &&
		apiequality.Semantic.DeepEqual(a.TopologySpreadConstraints, b.TopologySpreadConstraints)
}
