// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/cache"
)

// NewestPod returns the pod of a workload that was created last, as SlimPod leaves it, nil where it has none. Pods that have
// finished or are on their way out don't count. During a rollout it is one of the new template but for the moment in which an
// old pod is replaced by another old one. It asks nobody. The pod is shared and must not be changed.
func (i *Informers) NewestPod(of corev1.ObjectReference) *corev1.Pod {
	pods, _ := i.pods.GetTypedIndexer().ByTypedIndex(cache.NamespaceIndex, of.Namespace) // the index is there
	return newestOf(pods, &of)
}

// byNamespace is the index by which the pods of one namespace are found among all.
func byNamespace(p *corev1.Pod) ([]string, error) { return []string{p.Namespace}, nil }

func newestOf(pods []*corev1.Pod, of *corev1.ObjectReference) *corev1.Pod {
	var newest *corev1.Pod
	for _, p := range pods {
		if !finished(p) && p.DeletionTimestamp == nil && isOf(p, of) && (newest == nil || createdLater(p, newest)) {
			newest = p
		}
	}
	return newest
}

// isOf tells whether a workload made the pod: its controller, or the Deployment of which its ReplicaSet is.
func isOf(p *corev1.Pod, of *corev1.ObjectReference) bool {
	owner := metav1.GetControllerOfNoCopy(p)
	if owner == nil {
		return false
	}
	if of.Kind != "Deployment" || of.APIVersion != appsv1.SchemeGroupVersion.String() {
		return owner.UID == of.UID
	}
	kind, name := topOf(owner, p)
	return kind == of.Kind && name == of.Name
}

// createdLater compares what has a resolution of a second; names decide a tie, so that replicas of Headroom agree.
func createdLater(p, than *corev1.Pod) bool {
	if p.CreationTimestamp.Equal(&than.CreationTimestamp) {
		return p.Name > than.Name
	}
	return than.CreationTimestamp.Before(&p.CreationTimestamp)
}
