// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"maps"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// keepTemplate copies what the pod would be made of again.
func keepTemplate(slim, p *corev1.Pod) {
	owner := controllerOf(p)
	if owner != nil {
		slim.OwnerReferences = []metav1.OwnerReference{*owner}
	}
	if tiedToNode(owner) {
		return
	}
	keepPlacement(slim, p)
	slim.Spec.PriorityClassName = p.Spec.PriorityClassName
	slim.Labels = templateLabels(p.Labels)
}

// keepApart copies what says how many pods of the template may share a node, see placement.PerNode.
func keepApart(slim, p *corev1.Pod) {
	if p.Spec.Affinity != nil && p.Spec.Affinity.PodAntiAffinity != nil {
		byHost := only(p.Spec.Affinity.PodAntiAffinity.RequiredDuringSchedulingIgnoredDuringExecution,
			func(t *corev1.PodAffinityTerm) bool { return t.TopologyKey == corev1.LabelHostname })
		if len(byHost) > 0 {
			if slim.Spec.Affinity == nil {
				slim.Spec.Affinity = &corev1.Affinity{}
			}
			slim.Spec.Affinity.PodAntiAffinity = &corev1.PodAntiAffinity{RequiredDuringSchedulingIgnoredDuringExecution: byHost}
		}
	}
	slim.Spec.TopologySpreadConstraints = only(p.Spec.TopologySpreadConstraints, func(c *corev1.TopologySpreadConstraint) bool {
		return c.TopologyKey == corev1.LabelHostname && c.WhenUnsatisfiable == corev1.DoNotSchedule
	})
	keepHostPorts(slim.Spec.Containers, p.Spec.Containers)
	keepHostPorts(slim.Spec.InitContainers, p.Spec.InitContainers)
}

func keepHostPorts(slim, containers []corev1.Container) {
	for i := range containers {
		slim[i].Ports = only(containers[i].Ports, func(port *corev1.ContainerPort) bool { return port.HostPort > 0 })
	}
}

// only returns those of a list for which keep is true, nil for none.
func only[T any](list []T, keep func(*T) bool) []T {
	var kept []T
	for i := range list {
		if keep(&list[i]) {
			kept = append(kept, list[i])
		}
	}
	return kept
}

// tiedToNode reports whether a controller's pods are each made for one node: those of a DaemonSet, and static ones, whose
// controller is the Node.
func tiedToNode(owner *metav1.OwnerReference) bool {
	return owner != nil && (owner.Kind == "DaemonSet" && owner.APIVersion == appsv1.SchemeGroupVersion.String() || owner.Kind == "Node")
}

// templateLabels leaves out the labels by which controllers number their pods. The rest is the same for all of them.
func templateLabels(labels map[string]string) map[string]string {
	if !slices.ContainsFunc(numbers, func(key string) bool { _, found := labels[key]; return found }) {
		return labels
	}
	kept := maps.Clone(labels)
	for _, key := range numbers {
		delete(kept, key)
	}
	return kept
}

// numbers are the labels that each pod of a template has with a value of its own.
var numbers = []string{appsv1.StatefulSetPodNameLabel, appsv1.PodIndexLabel, batchv1.JobCompletionIndexAnnotation}

func isNumber(label string) bool { return slices.Contains(numbers, label) }
