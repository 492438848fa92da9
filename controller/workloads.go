// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"cmp"
	"hash/maphash"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Workload stands for all pods that are of one template, as far as the pods themselves tell.
type Workload struct {
	// Kind, Namespace and Name are of the object that one would change to change the template, as far as that is certain. It is
	// the pod itself where nothing controls it.
	Kind, Namespace, Name string
	// Pods is how many there are.
	Pods int
	// Nodes are the names of the nodes on which they run.
	Nodes map[string]bool
	// Pod is one of them, as SlimPod leaves it. It is shared and must not be changed.
	Pod *corev1.Pod
}

// Workloads returns what has pods in a namespace, or in all of them for "", by namespace and name. Pods that have finished or
// are on their way out don't count, nor those that are made for one node each. It asks nobody, and takes some milliseconds for
// ten thousand pods; events wait for a small part of that.
func (i *Informers) Workloads(namespace string) []Workload {
	return workloadsOf(i.pods.GetStore().List(), namespace)
}

// templateKey tells templates apart: the pods of one controller may be of several, such as during a rollout. Pods of another
// namespace that name the same controller are not its pods.
type templateKey struct {
	namespace  string
	controller types.UID
	hash       uint64
}

func workloadsOf(pods []any, namespace string) []Workload {
	seed := maphash.MakeSeed()
	byTemplate := make(map[templateKey]*Workload)
	for _, object := range pods {
		p, ok := object.(*corev1.Pod)
		if !ok || namespace != "" && p.Namespace != namespace || finished(p) || p.DeletionTimestamp != nil {
			continue
		}
		owner := metav1.GetControllerOfNoCopy(p)
		if tiedToNode(owner) {
			continue
		}
		key := keyOf(seed, owner, p)
		w := byTemplate[key]
		if w == nil {
			w = &Workload{Namespace: p.Namespace, Nodes: make(map[string]bool, 1), Pod: p}
			w.Kind, w.Name = topOf(owner, p)
			byTemplate[key] = w
		}
		w.Pods++
		if p.Spec.NodeName != "" {
			w.Nodes[p.Spec.NodeName] = true
		}
		if p.Name < w.Pod.Name { // the store has no order
			w.Pod = p
		}
	}
	workloads := make([]Workload, 0, len(byTemplate))
	for _, w := range byTemplate {
		workloads = append(workloads, *w)
	}
	slices.SortFunc(workloads, func(a, b Workload) int {
		return cmp.Or(strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Name, b.Name), strings.Compare(a.Kind, b.Kind), strings.Compare(a.Pod.Name, b.Pod.Name))
	})
	return workloads
}

// keyOf compares of a template what decides about its images; where the pods of one controller differ in nothing but, say,
// their tolerations, one stands for all.
func keyOf(seed maphash.Seed, owner *metav1.OwnerReference, p *corev1.Pod) templateKey {
	if owner == nil {
		return templateKey{namespace: p.Namespace, controller: p.UID}
	}
	var h maphash.Hash
	h.SetSeed(seed)
	add := func(texts ...string) {
		for _, text := range texts {
			_, _ = h.WriteString(text) // it never fails
			_ = h.WriteByte(0)
		}
	}
	add(p.Labels[appsv1.ControllerRevisionHashLabelKey], p.Spec.PriorityClassName)
	for _, containers := range [][]corev1.Container{p.Spec.InitContainers, p.Spec.Containers} {
		for i := range containers {
			add(containers[i].Image, string(containers[i].ImagePullPolicy))
		}
	}
	for i := range p.Spec.Volumes {
		if image := p.Spec.Volumes[i].Image; image != nil {
			add(image.Reference, string(image.PullPolicy))
		}
	}
	return templateKey{p.Namespace, owner.UID, h.Sum64()}
}

// topOf names what is at the top of the chain of controllers, without asking for what is between. A ReplicaSet whose name ends
// with the hash that its pods carry is one of the Deployment controller's (pkg/controller/deployment/sync.go,
// getNewReplicaSet). That a Job is one of a CronJob can't be told from its pods.
func topOf(owner *metav1.OwnerReference, p *corev1.Pod) (kind, name string) {
	if owner == nil {
		return "Pod", p.Name
	}
	hash := p.Labels[appsv1.DefaultDeploymentUniqueLabelKey]
	if owner.Kind == "ReplicaSet" && hash != "" {
		if deployment, found := strings.CutSuffix(owner.Name, "-"+hash); found && deployment != "" {
			return "Deployment", deployment
		}
	}
	return owner.Kind, owner.Name
}
