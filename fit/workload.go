// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fit

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/headroom-dev/headroom/ledger"
	"github.com/headroom-dev/headroom/placement"
	"github.com/headroom-dev/headroom/policy"
	"github.com/headroom-dev/headroom/verdict"
)

// Workload is what makes pods from a template. A template is warned about, and never refused: its pods are judged when they
// come. [RequestOfTemplate] makes the request.
type Workload struct {
	// Kind is the API's word, such as Deployment.
	Kind string
	// Replicas is how many pods it wants at a time, at least 0.
	Replicas int
	// EveryNode is set where each node that can take one of the pods gets one, as for a DaemonSet. Replicas is then 0.
	EveryNode bool
	// PerNode is how many of its pods may share a node, 0 for any number. RequestOfTemplate sets it.
	PerNode int
}

// RequestOfTemplate reads a request from a pod as a template describes it, in the namespace of what makes pods from it.
func RequestOfTemplate(pod *corev1.Pod, w Workload) Request {
	r := RequestOf(pod)
	w.PerNode = placement.PerNode(pod)
	if r.Workload = &w; w.EveryNode && pod != nil {
		r.Placement = placement.OfDaemonSet(&pod.Spec)
	}
	return r
}

func (s *survey) everyNode() bool { return s.workload != nil && s.workload.EveryNode }

// idle reports whether the request is for a template of which no pod is wanted now.
func (r *Request) idle() bool {
	return r.Workload != nil && !r.Workload.EveryNode && r.Workload.Replicas <= 0
}

// The rule for replicas: besides where a pod would be warned about, there is a warning where some node is at or past warnAt
// and the others have no place for all replicas. A node pulls an image once, however many replicas it runs, so one good node
// is enough for as many as it can hold: as many as the template lets share a node, see [placement.PerNode], and as its
// allocatable resources are enough for. What else runs there is left out: much of it may be the pods that an update replaces,
// and a warning with each update of a cluster that is well used would soon be read by nobody. Each pod is judged when it comes.
//
// Nodes without an opinion count as good ones. So do nodes that have no room for a pod now and have its images: replicas that
// run there already are no new ones.
//
// Left out is that the scheduler spreads replicas where nothing makes it, and knows nothing of image storage: some may go to a
// full node although there is a place on a good one. That is for steering.

// crowds reports whether the nodes of t that are not past the threshold have no place for all replicas.
func (s *survey) crowds(t *tally) bool {
	return s.workload != nil && t.past > 0 && s.places(t) < int64(s.workload.Replicas)
}

// places is how many replicas the nodes of t that are not past the threshold can hold.
func (s *survey) places(t *tally) int64 {
	if t == &s.ready {
		return t.places + s.heldPlaces
	}
	return t.places
}

// goodOf counts the nodes that crowds is about: those with a place for a replica, and all of them.
func (s *survey) goodOf(t *tally) (good, of int) {
	if t == &s.ready {
		return t.nodes - t.past + s.held, t.nodes + s.held
	}
	return t.nodes - t.past, t.nodes
}

// addForTemplate counts what only matters where more than one pod comes.
func (s *survey) addForTemplate(row *ledger.NodeRow, r *NodeResult) {
	s.addPlaces(row, r)
	if !r.Optimistic.AtLeast(s.policy.DenyAt) {
		return
	}
	s.ever.refuses++
	if r.Likely {
		s.ready.refuses++
	}
}

func (s *survey) addPlaces(row *ledger.NodeRow, r *NodeResult) {
	if s.workload.EveryNode || r.LikelyVerdict.AtLeast(s.ready.threshold) {
		return
	}
	places := s.placesOn(row)
	s.ever.places += places
	switch {
	case r.Likely:
		s.ready.places += places
	case r.LikelyVerdict == verdict.Fits && r.Need.Likely == 0:
		s.held++
		s.heldPlaces += places
	}
}

// placesOn is how many replicas a node could hold if nothing else ran there: one at least, and no more than are wanted, so that
// sums of it are small.
func (s *survey) placesOn(row *ledger.NodeRow) int64 {
	places := int64(s.workload.Replicas)
	if per := s.workload.PerNode; per > 0 {
		places = min(places, int64(per))
	}
	if c := s.request.Placement; c != nil {
		places = min(places, row.Allocatable.Holds(c.Requests()))
	}
	return max(places, 1)
}

// The rule for a pod on every node: there is a warning where any likely node is at or past warnAt. A node that is busy counts
// as likely: the pod waits there for its room, or takes that of the one it replaces.

// decideEveryNode fills in a decision about a template of which every node gets a pod. What happens on the worst of them
// counts: the others help nobody. Nor does a new node.
func (s *survey) decideEveryNode(d *Decision, t *tally, say sentences) {
	d.Tier = t.tier
	switch {
	case t.past > 0:
		s.objects = true
		if d.Mode.AtLeast(policy.Warn) {
			d.Action = Warn
		}
		d.about(t.worst)
		d.Message = say.tooMuchSomewhere(s, t, d.Mode == policy.Enforce)
	case t.unknown > 0:
		d.about(&t.unknownBest)
		d.Reason = t.why()
		d.Message = say.noOpinion(s, t)
		return
	default:
		d.about(t.worst)
		d.Message = say.everywhere(t, s.ready.nodes == 0)
	}
	d.Reason = d.partly()
}

// offerWorse replaces r by a worse result: a more severe verdict, a larger need, less slack, and the first name among
// equals.
func (r *ranked) offerWorse(o *ranked) {
	if !r.set || o.worseThan(r) {
		*r = *o
	}
}

func (r *ranked) worseThan(than *ranked) bool {
	switch a, b := r.verdict.Severity(), than.verdict.Severity(); {
	case a != b:
		return a > b
	case r.Need.Likely != than.Need.Likely:
		return r.Need.Likely > than.Need.Likely
	case r.slack != than.slack:
		return r.slack < than.slack
	default:
		return r.Node < than.Node
	}
}
