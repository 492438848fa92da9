// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fit

import (
	"cmp"
	"slices"
	"time"

	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/ledger"
	"github.com/headroom-dev/headroom/policy"
	"github.com/headroom-dev/headroom/verdict"
)

// Evaluate decides about one pod. It is pure, total and deterministic; nothing it is given is changed. A nil snapshot is
// one that is not synced; a nil policy is the default one in mode Audit, as for a process that has no valid policy.
func Evaluate(s *ledger.Snapshot, r Request, p *policy.Policy, now time.Time) Decision {
	if p == nil {
		p = policy.Fallback()
	}
	d, say := undecided(s, &r, p)
	if d.Reason != "" {
		return d
	}
	v := newSurvey(s, &r, p, now)
	d.LeftOut = v.leftOut
	switch known := v.run(); {
	case !known:
		d.Reason = UnknownNode
	case v.possible.nodes == 0:
		d.Reason = NoCandidate
	default:
		v.decide(&d, say)
		v.except(&d, say, now)
		return d
	}
	d.Message = say.undecided(&d, &r)
	return d
}

// undecided is the decision about a pod before any node was looked at. It is made where it has a reason.
func undecided(s *ledger.Snapshot, r *Request, p *policy.Policy) (Decision, sentences) {
	d := Decision{Action: Allow, Verdict: verdict.Unknown, PolicyVersion: p.Version, Invalid: slices.Clone(r.Invalid)}
	d.Mode, d.ModeIgnored = modeFor(p, r.NamespaceMode)
	say := sentences{numbers: p.Messages.Numbers, names: p.Messages.NodeNames, bound: r.nodeName() != ""}
	if d.Reason = notJudged(s, r, p, &d); d.Reason != "" {
		d.Message = say.undecided(&d, r)
	}
	return d, say
}

// modeFor returns the mode in force, and why the namespace's label was not followed, empty where it was.
func modeFor(p *policy.Policy, namespaceMode string) (mode policy.Mode, ignored string) {
	mode, err := p.ModeFor(namespaceMode)
	if err != nil {
		ignored = err.Error()
	}
	return mode, ignored
}

// notJudged returns the reason for which no node needs to be looked at, empty where there is none.
func notJudged(s *ledger.Snapshot, r *Request, p *policy.Policy, d *Decision) Reason {
	if d.Mode == policy.Off {
		return ModeOff
	}
	if exemption, exempt := p.Exempt(r.Namespace, r.PriorityClass); exempt {
		d.Exemption = exemption
		return ExemptPod
	}
	nothing := !slices.ContainsFunc(r.Images, func(i imageref.Image) bool { return !i.Ref.IsZero() })
	switch {
	case s == nil || !s.Synced():
		return NotSynced
	case r.idle():
		d.Verdict = verdict.Fits
		return NoReplicas
	case nothing && len(r.Invalid) > 0:
		return InvalidImages
	case nothing:
		d.Verdict = verdict.Fits
		return NoImages
	default:
		return ""
	}
}

// decide fills in a decision about a pod that has candidates.
func (s *survey) decide(d *Decision, say sentences) {
	scope := s.scope()
	d.Possible, d.Likely, d.Overloaded, d.Counts = s.possible.nodes, s.ready.nodes, scope.past, scope.counts
	d.CanTake = scope.nodes - scope.past - scope.unknown
	d.Unsized = s.marked(s.unsized)
	if s.everyNode() {
		s.decideEveryNode(d, scope, say)
		return
	}
	overloads, newNode := s.overloadsAll()
	switch {
	case overloads && !newNode && d.Mode == policy.Enforce:
		s.objects = true
		s.refuse(d, say)
		return
	case s.left != nil:
		s.objects = true
		if d.Mode.AtLeast(policy.Warn) {
			d.Action = Warn
		}
		d.behindWaiting(scope, s)
		d.Message = say.orNewNode(say.behindOthers(s), s)
	case scope.majority(), s.crowds(scope):
		s.objects = true
		if d.Mode.AtLeast(policy.Warn) {
			d.Action = Warn
		}
		d.about(&scope.pastBest)
		d.Message = say.orNewNode(say.warning(s), s)
	case scope.best.verdict.Severity() >= 0 && !scope.best.verdict.AtLeast(scope.threshold), scope.unknown == 0:
		d.about(&scope.best)
		d.Message = say.and(say.allowed(scope, s.ready.nodes == 0), say.spread(d, s.request, scope))
	default:
		// The nodes of which enough is known are overloaded, and the others may be or not.
		d.about(&scope.unknownBest)
		d.Message = say.noOpinion(s, scope)
	}
	d.Tier = scope.tier
	d.Reason = s.heldBack(d, overloads && newNode)
	s.wait(d)
}

// refuse fills in a decision about a pod that is refused, or about a template whose pods would be.
func (s *survey) refuse(d *Decision, say sentences) {
	d.Tier = s.possible.tier
	if s.left != nil {
		d.behindWaiting(&s.possible, s)
	} else {
		d.about(&s.possible.pastBest)
	}
	if s.workload != nil {
		d.Action, d.Message = Warn, say.refusedLater(s)
		return
	}
	d.Action, d.CauseCode, d.Message = Deny, causeCode(d.Verdict), say.denial(s)
	if d.Waiting {
		d.Message = say.and(d.Message, again)
	}
}

// behindWaiting makes the decision one about what the pod does once those have come that wait. The figures are those of the
// best node as it is.
func (d *Decision) behindWaiting(t *tally, s *survey) {
	d.about(&t.best)
	d.Verdict, d.Waiting = s.policy.DenyAt, true
}

// about makes r the node that the decision is about.
func (d *Decision) about(r *ranked) {
	d.Verdict, d.Best, d.Need = r.verdict, r.NodeResult, r.Need
}

// heldBack returns why no stronger action was taken.
func (s *survey) heldBack(d *Decision, elastic bool) Reason {
	t := &s.possible
	switch {
	case elastic:
		return ElasticPool
	case t.unknown > 0 && t.past+t.unknown == t.nodes:
		return t.why()
	case d.Verdict == verdict.Unknown:
		return s.scope().why()
	case s.refusedIfHuge():
		return UnknownSize
	default:
		return d.partly()
	}
}

// partly returns why not all of the pod was looked at, empty where it was.
func (d *Decision) partly() Reason {
	switch {
	case d.LeftOut > 0:
		return ManyImages
	case len(d.Invalid) > 0:
		return InvalidImages
	default:
		return ""
	}
}

// wait names the images that are worth a short wait.
func (s *survey) wait(d *Decision) {
	if d.Mode != policy.Enforce || !s.refusedIfHuge() {
		return
	}
	d.WaitFor = s.marked(s.waitFor)
	for p := range s.platforms {
		d.WaitPlatforms = append(d.WaitPlatforms, p)
	}
	slices.SortFunc(d.WaitPlatforms, func(a, b Platform) int {
		return cmp.Or(cmp.Compare(a.OS, b.OS), cmp.Compare(a.Architecture, b.Architecture))
	})
}
