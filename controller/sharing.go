// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"maps"
	"runtime"
	"slices"
	"sync"
	"weak"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
)

// podSharing lets the slim pods of one controller share the memory of all that they have in common: a pod that is one of a
// thousand replicas then costs little more than its own name and status. What no pod has any more goes with the next garbage
// collection: pods that come and go, each of another controller and as large as can be, must not add up.
type podSharing struct {
	mu      sync.Mutex
	byOwner map[sharingOwner]*podCommon
}

// sharingOwner has the namespace in it because whoever may create pods in one can name any UID.
type sharingOwner struct {
	namespace string
	uid       types.UID
}

// podCommon is what the pods of one controller have in common, each part as the last pod that had another one had it.
type podCommon struct {
	// owner is the memory of those pods' OwnerReferences: it is gone when the last of them is.
	owner podOwner

	pod corev1.Pod
}

type podOwner = weak.Pointer[[1]metav1.OwnerReference]

func newPodSharing() *podSharing { return &podSharing{byOwner: make(map[sharingOwner]*podCommon)} }

// transform is SlimPod, with what pods share.
func (s *podSharing) transform(obj any) (any, error) {
	slim, err := SlimPod(obj)
	if p, ok := slim.(*corev1.Pod); ok && err == nil {
		s.share(p)
	}
	return slim, err
}

// share replaces parts of p, which is nobody else's yet, by equal ones of other pods.
func (s *podSharing) share(p *corev1.Pod) {
	if len(p.OwnerReferences) != 1 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	key := sharingOwner{p.Namespace, p.OwnerReferences[0].UID}
	common := s.byOwner[key]
	var owner *[1]metav1.OwnerReference
	if common != nil {
		owner = common.owner.Value()
	}
	if owner == nil || owner[0] != p.OwnerReferences[0] {
		owner = (*[1]metav1.OwnerReference)(p.OwnerReferences)
		common = &podCommon{owner: weak.Make(owner)}
		s.byOwner[key] = common
		gone := common.owner
		runtime.AddCleanup(owner, func(key sharingOwner) { s.forget(key, gone) }, key)
	}
	p.OwnerReferences = owner[:]
	common.shareWith(p)
}

// forget takes out what the pods of a controller had in common, unless by now it is that of others.
func (s *podSharing) forget(key sharingOwner, owner podOwner) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if common := s.byOwner[key]; common != nil && common.owner == owner {
		delete(s.byOwner, key)
	}
}

func (c *podCommon) shareWith(p *corev1.Pod) {
	last, own := &c.pod.Spec, &p.Spec
	unify(&c.pod.Namespace, &p.Namespace, equal)
	unify(&c.pod.Labels, &p.Labels, maps.Equal)
	unify(&last.PriorityClassName, &own.PriorityClassName, equal)
	unify(&last.NodeSelector, &own.NodeSelector, maps.Equal)
	unify(&last.Tolerations, &own.Tolerations, sameTolerations)
	unify(&last.Affinity, &own.Affinity, semantically)
	unify(&last.TopologySpreadConstraints, &own.TopologySpreadConstraints, semantically)
	unify(&last.OS, &own.OS, ptr.Equal)
	unify(&last.Overhead, &own.Overhead, sameQuantities)
	unify(&last.Resources, &own.Resources, semantically)
	unify(&last.InitContainers, &own.InitContainers, sameContainers)
	unify(&last.Containers, &own.Containers, sameContainers)
	unify(&last.Volumes, &own.Volumes, semantically)
	c.pod.Status.InitContainerStatuses = shareNames(c.pod.Status.InitContainerStatuses, p.Status.InitContainerStatuses)
	c.pod.Status.ContainerStatuses = shareNames(c.pod.Status.ContainerStatuses, p.Status.ContainerStatuses)
}

// unify makes own the last one if they are equal, and otherwise the other way round.
func unify[T any](last, own *T, same func(a, b T) bool) {
	if same(*last, *own) {
		*own = *last
		return
	}
	*last = *own
}

// shareNames unifies the texts of own with those of last, and returns the next last ones.
func shareNames(last, own []corev1.ContainerStatus) []corev1.ContainerStatus {
	if len(last) != len(own) {
		last = make([]corev1.ContainerStatus, len(own))
	}
	for i := range own {
		unify(&last[i].Name, &own[i].Name, equal)
		unify(&last[i].ImageID, &own[i].ImageID, equal)
	}
	return last
}

func equal(a, b string) bool { return a == b }

func semantically[T any](a, b T) bool { return equality.Semantic.DeepEqual(a, b) }

func sameQuantities(a, b corev1.ResourceList) bool {
	return maps.EqualFunc(a, b, func(x, y resource.Quantity) bool { return x.Equal(y) })
}

func sameTolerations(a, b []corev1.Toleration) bool {
	return slices.EqualFunc(a, b, func(x, y corev1.Toleration) bool {
		same := ptr.Equal(x.TolerationSeconds, y.TolerationSeconds)
		x.TolerationSeconds, y.TolerationSeconds = nil, nil
		return same && x == y
	})
}

// sameContainers compares what SlimPod leaves of containers.
func sameContainers(a, b []corev1.Container) bool {
	return slices.EqualFunc(a, b, func(x, y corev1.Container) bool {
		return x.Name == y.Name && x.Image == y.Image && x.ImagePullPolicy == y.ImagePullPolicy &&
			ptr.Equal(x.RestartPolicy, y.RestartPolicy) && slices.Equal(x.Ports, y.Ports) && sameQuantities(x.Resources.Requests, y.Resources.Requests)
	})
}
