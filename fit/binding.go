// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fit

import (
	"k8s.io/apimachinery/pkg/types"

	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/ledger"
	"github.com/headroom-dev/headroom/policy"
	"github.com/headroom-dev/headroom/verdict"
)

// Binding is a choice for a pod that is not bound yet.
type Binding struct {
	Choice

	Namespace, Name string
	// UID is the pod's, empty where the binding is for whichever pod has the name.
	UID types.UID
	// NamespaceMode is as in Request.
	NamespaceMode string
}

// Steer decides about one binding by what is known now.
func (e Evaluator) Steer(b Binding) Steering {
	s, now := e.moment()
	r, known := bound(s, b)
	d := Steer(s, r, b.Choice, e.policy(), now)
	if !known && d.Reason == NoImages {
		d.Reason = UnknownPod
	}
	return d
}

// Unsteered returns the answer about a binding where steering is off for its namespace. It needs nothing but the policy.
func (e Evaluator) Unsteered(b Binding) (d Steering, unsteered bool) {
	p := e.policy()
	if p == nil {
		p = policy.Fallback()
	}
	d = Steering{Pod: b.UID, Verdict: verdict.Unknown, PolicyVersion: p.Version, Reason: ModeOff}
	d.Mode, d.ModeIgnored = modeFor(p, b.NamespaceMode)
	return d, !p.Steers(d.Mode)
}

// bound returns the request of the pod that a binding is for, and whether it is one that waits to be bound.
func bound(s *ledger.Snapshot, b Binding) (Request, bool) {
	unknown := Request{Namespace: b.Namespace, Name: b.Name, NamespaceMode: b.NamespaceMode}
	if s == nil {
		return unknown, false
	}
	pod, known := s.UnboundPod(b.UID)
	if b.UID == "" {
		pod, known = s.UnboundPodNamed(b.Namespace, b.Name)
	}
	if !known || pod.Namespace != b.Namespace || pod.Name != b.Name {
		return unknown, false
	}
	r := Request{
		UID: pod.UID, Namespace: pod.Namespace, Name: pod.Name, NamespaceMode: b.NamespaceMode,
		PriorityClass: pod.PriorityClass, Labels: pod.Labels, Placement: pod.Placement,
	}
	r.Images = imagesOf(pod)
	return r, true
}

func imagesOf(pod *ledger.Pod) []imageref.Image {
	images := make([]imageref.Image, len(pod.Images))
	for i := range pod.Images {
		images[i] = imageref.Image{Ref: pod.Images[i].Ref, PullPolicy: pod.Images[i].PullPolicy}
	}
	return images
}
