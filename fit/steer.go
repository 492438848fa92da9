// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fit

import (
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/headroom-dev/headroom/estimate"
	"github.com/headroom-dev/headroom/ledger"
	"github.com/headroom-dev/headroom/policy"
	"github.com/headroom-dev/headroom/verdict"
)

// Choice is the choice of a node for a pod.
type Choice struct {
	Node string
	// Before are the pods whose bindings to that node were let through a moment ago. The snapshot may not have them there yet.
	Before []types.UID
}

// Steering is the answer about one binding. It is a value, like Decision.
type Steering struct {
	// SendBack says that the pod should go to another node.
	SendBack bool
	// Reason says why the binding was not judged, or why it is let through although the node is too full. Empty otherwise.
	Reason Reason
	// Exemption says which exemption applied: "namespace" or "priorityClass".
	Exemption string
	// Exception names the policy's exception that applied, empty for none.
	Exception string
	Mode      policy.Mode // in force for this pod
	// PolicyVersion is as in Decision.
	PolicyVersion string
	// ModeIgnored is as in Decision.
	ModeIgnored string
	// Pod is the pod's UID, empty where the pod is not known.
	Pod types.UID
	// Target is the node that was chosen, and Verdict what likely happens there. Zero and Unknown where nobody looked.
	Target  NodeResult
	Verdict verdict.Verdict
	// Other names a node that would do; empty where none was looked for, or found.
	Other string
	// Message is the one sentence for people, and CauseCode the stable code for status.details.causes. They are set where
	// SendBack is.
	Message, CauseCode string
}

// Steer decides whether the binding of a pod to a node should be sent back, so that the scheduler chooses another one. It is
// pure, total and deterministic, as Evaluate is.
//
// It should where the likely value on the node is at or past denyAt, while another node could take the pod now on which the
// likely value is not even at warnAt. That other node must not be one that the scheduler is asked to avoid as well, and it has
// to be found within the first othersJudged that are looked at. No pod is kept from running over this: a pod that has no other
// node to go to is let through, and so is one of which, or of whose nodes, too little is known. Where a pod's volumes are is
// not known here.
func Steer(s *ledger.Snapshot, r Request, c Choice, p *policy.Policy, now time.Time) Steering {
	if p == nil {
		p = policy.Fallback()
	}
	d := Steering{Pod: r.UID, Verdict: verdict.Unknown, PolicyVersion: p.Version}
	d.Mode, d.ModeIgnored = modeFor(p, r.NamespaceMode)
	if d.Reason = notSteered(s, &r, p, &d); d.Reason != "" {
		return d
	}
	row, known := s.Node(c.Node)
	if !known {
		d.Reason = UnknownNode
		return d
	}
	v := newSurvey(s, &r, p, now)
	v.binding = true
	v.steer(&d, row, c.Before, now)
	return d
}

// onlyCertain leaves out of an account what may come for pods whose node is not chosen yet: each is looked at when it is. To
// hold a part of each against every node would make all of them too full in a burst, and none would do for another.
func onlyCertain(a *ledger.Account) {
	a.Reserved.Likely = a.Reserved.Low
	a.Available = a.Measured.Minus(a.Settled).Minus(a.Pending).Minus(a.Reserved)
}

// notSteered returns the reason for which no node needs to be looked at, empty where there is none.
func notSteered(s *ledger.Snapshot, r *Request, p *policy.Policy, d *Steering) Reason {
	if !p.Steers(d.Mode) {
		return ModeOff
	}
	// What a decision about the pod itself would say for want of nodes to look at holds for a binding, too.
	var asked Decision
	asked.Mode = d.Mode
	if reason := notJudged(s, r, p, &asked); reason != "" {
		d.Exemption = asked.Exemption
		return reason
	}
	if r.Placement != nil && r.Placement.IgnoresSoftTaint() {
		return Tolerates
	}
	return ""
}

// steer fills in the decision about a node that is known.
func (s *survey) steer(d *Steering, row *ledger.NodeRow, before []types.UID, now time.Time) {
	// What is known of a pod's images may be enough to know that they are too much.
	result, _, expected := s.judge(row, s.sizes.classOf(row), s.policy.DenyAt)
	if result.Why == "" {
		expected = s.behind(row, before, expected, now)
		result.LikelyVerdict = expected.ofPod()
	}
	d.Target, d.Verdict = result, result.LikelyVerdict
	if !d.Verdict.AtLeast(s.policy.DenyAt) {
		d.Reason = result.Why
		return
	}
	// What matters to an exception is on this node alone.
	if e, _ := s.exception(now); e != nil {
		d.Reason, d.Exception = Excepted, e.Name
		return
	}
	if d.Other = s.otherNode(row, now); d.Other == "" {
		d.Reason = NoOtherNode
		return
	}
	d.SendBack, d.CauseCode = true, causeCode(d.Verdict)
	target := tally{threshold: s.policy.DenyAt}
	target.add(&result, d.Verdict, expected, isExact(&result.Account))
	d.Message = sentences{numbers: s.policy.Messages.Numbers, names: s.policy.Messages.NodeNames}.sentBack(&target)
}

// behind returns the figures of a node with what these pods, which go there first, take besides.
func (s *survey) behind(row *ledger.NodeRow, before []types.UID, alone figures, now time.Time) figures {
	joined := *s.request
	joined.Images = slices.Clip(joined.Images)
	for _, uid := range before {
		if pod, waits := s.snapshot.UnboundPod(uid); waits && uid != joined.UID {
			joined.Images = append(joined.Images, imagesOf(pod)...)
		}
	}
	if len(joined.Images) == len(s.request.Images) {
		return alone
	}
	v := newSurvey(s.snapshot, &joined, s.policy, now)
	v.binding = true
	_, _, all := v.judge(row, v.sizes.classOf(row), s.policy.DenyAt)
	theirs := max(estimate.SaturatingSub(all.need, alone.need), 0)
	all.need, all.available = alone.need, estimate.SaturatingSub(all.available, theirs)
	return all
}
