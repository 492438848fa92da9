// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"iter"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/headroom-dev/headroom/ledger"
)

// NewestPod returns the pod of a workload that was created last, as slimPod leaves it and without its status, nil where it has
// none. Pods that have finished or are on their way out don't count. During a rollout it is one of the new template but for the
// moment in which an old pod is replaced by another old one. It asks nobody, and looks at all pods.
func (i *Informers) NewestPod(of corev1.ObjectReference) *corev1.Pod {
	return newestOf(i.ledger.HeldPods(), &of)
}

func newestOf(pods iter.Seq[ledger.HeldPod], of *corev1.ObjectReference) *corev1.Pod {
	var newest ledger.HeldPod
	found := false
	// Neighbours are often of one template, and templates are few beside pods.
	made := make(map[*template]bool)
	for p := range pods {
		t, ok := p.Row.Template.(*template)
		if !ok || p.Row.Namespace != of.Namespace || p.Row.Finished || p.Row.Deleting {
			continue
		}
		is, known := made[t]
		if !known {
			is = t.isOf(&p, of)
			made[t] = is
		}
		if is && (!found || createdLater(&p, &newest)) {
			newest, found = p, true
		}
	}
	if !found {
		return nil
	}
	t, _ := newest.Row.Template.(*template)
	return t.podOf(&newest)
}

// isOf tells whether a workload made the pods: their controller, or the Deployment of which their ReplicaSet is.
func (t *template) isOf(p *ledger.HeldPod, of *corev1.ObjectReference) bool {
	if t.owner == nil {
		return false
	}
	if of.Kind != "Deployment" || of.APIVersion != appsv1.SchemeGroupVersion.String() {
		return t.owner.UID == of.UID
	}
	kind, name := t.topOf(p)
	return kind == of.Kind && name == of.Name
}

// createdLater compares what has a resolution of a second; names decide a tie, so that replicas of Headroom agree.
func createdLater(p, than *ledger.HeldPod) bool {
	if p.CreatedUnixSeconds == than.CreatedUnixSeconds {
		return p.CompareName(than) > 0
	}
	return p.CreatedUnixSeconds > than.CreatedUnixSeconds
}
