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

// tiedToNode reports whether a controller's pods are each made for one node: those of a DaemonSet, and static ones, whose
// controller is the Node.
func tiedToNode(owner *metav1.OwnerReference) bool {
	return owner != nil && (owner.Kind == "DaemonSet" && owner.APIVersion == appsv1.SchemeGroupVersion.String() || owner.Kind == "Node")
}

// templateLabels leaves out the labels by which controllers number their pods. The rest is the same for all of them.
func templateLabels(labels map[string]string) map[string]string {
	numbered := []string{appsv1.StatefulSetPodNameLabel, appsv1.PodIndexLabel, batchv1.JobCompletionIndexAnnotation}
	if !slices.ContainsFunc(numbered, func(key string) bool { _, found := labels[key]; return found }) {
		return labels
	}
	kept := maps.Clone(labels)
	for _, key := range numbered {
		delete(kept, key)
	}
	return kept
}
