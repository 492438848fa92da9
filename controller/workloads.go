// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"cmp"
	"hash/maphash"
	"iter"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/headroom-dev/headroom/ledger"
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
	// Pod is one of them, as slimPod leaves it, without its status.
	Pod *corev1.Pod
}

// Workloads returns what has pods in a namespace, or in all of them for "", by namespace and name. Pods that have finished or
// are on their way out don't count, nor those that are made for one node each. It asks nobody, and takes some milliseconds for
// ten thousand pods; events wait for a small part of that.
func (i *Informers) Workloads(namespace string) []Workload {
	return workloadsOf(i.ledger.HeldPods(), namespace)
}

// workloadKey tells templates apart: the pods of one controller may be of several, such as during a rollout. Pods of another
// namespace that name the same controller are not its pods.
type workloadKey struct {
	namespace  string
	controller types.UID
	likeness   uint64
	pod        string // of one that nothing controls
}

// foundWorkload has the pod of the lowest name for all: what is held has no order.
type foundWorkload struct {
	pods  int
	nodes map[string]bool
	first ledger.HeldPod
}

func workloadsOf(pods iter.Seq[ledger.HeldPod], namespace string) []Workload {
	byTemplate := make(map[workloadKey]*foundWorkload)
	for p := range pods {
		t, ok := p.Row.Template.(*template)
		if !ok || namespace != "" && p.Row.Namespace != namespace || p.Row.Finished || p.Row.Deleting {
			continue
		}
		key := t.keyOf(&p)
		w := byTemplate[key]
		if w == nil {
			w = &foundWorkload{nodes: make(map[string]bool, 1), first: p}
			byTemplate[key] = w
		}
		w.pods++
		if p.NodeName != "" {
			w.nodes[p.NodeName] = true
		}
		if p.CompareName(&w.first) < 0 {
			w.first = p
		}
	}
	workloads := make([]Workload, 0, len(byTemplate))
	for key, w := range byTemplate {
		t, _ := w.first.Row.Template.(*template)
		kind, name := t.topOf(&w.first)
		workloads = append(workloads, Workload{Kind: kind, Namespace: key.namespace, Name: name, Pods: w.pods, Nodes: w.nodes, Pod: t.podOf(&w.first)})
	}
	slices.SortFunc(workloads, func(a, b Workload) int {
		return cmp.Or(strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Name, b.Name), strings.Compare(a.Kind, b.Kind), strings.Compare(a.Pod.Name, b.Pod.Name))
	})
	return workloads
}

func (t *template) keyOf(p *ledger.HeldPod) workloadKey {
	if t.owner == nil {
		return workloadKey{namespace: p.Row.Namespace, pod: p.Name()}
	}
	return workloadKey{namespace: p.Row.Namespace, controller: t.owner.UID, likeness: t.likeness}
}

// likenessOf compares of a template what decides about its images; where the pods of one controller differ in nothing but, say,
// their tolerations, one stands for all.
func likenessOf(seed maphash.Seed, p *corev1.Pod) uint64 {
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
	return h.Sum64()
}

// topOf names what is at the top of the chain of controllers, without asking for what is between. A ReplicaSet whose name ends
// with the hash that its pods carry is one of the Deployment controller's (pkg/controller/deployment/sync.go,
// getNewReplicaSet). That a Job is one of a CronJob can't be told from its pods.
func (t *template) topOf(p *ledger.HeldPod) (kind, name string) {
	if t.owner == nil {
		return "Pod", p.Name()
	}
	if t.owner.Kind == "ReplicaSet" && t.replicaSetHash != "" {
		if deployment, found := strings.CutSuffix(t.owner.Name, "-"+t.replicaSetHash); found && deployment != "" {
			return "Deployment", deployment
		}
	}
	return t.owner.Kind, t.owner.Name
}
