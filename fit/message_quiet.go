// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fit

import "github.com/headroom-dev/headroom/verdict"

// What is said where no figures may be told. On which nodes an image is already is a figure, too: it may be there for
// another tenant, and whoever names an image could ask. These sentences tell of nodes what the verdict is, and of the rest
// only what does not depend on images that are there: a warning can't be told from the one that there would be if another
// tenant's image came or went, as long as the verdict is the same.

// quietDenial is for a pod that is refused.
func (w sentences) quietDenial(s *survey) string {
	t, and := &s.possible, ""
	if s.grown() {
		and = " and a new one"
	}
	where := "every eligible node"
	if t.nodes == 1 {
		where = w.single(t, false)
	}
	return w.line("the pod's images are too much for %s%s: %s", where, and, harms[t.pastBest.verdict.Severity()])
}

// quietWarning is for a pod that is warned about, and for replicas. What is too much for most nodes and what is too much for
// all are told alike.
func (w sentences) quietWarning(s *survey) string {
	t, unready, share := s.scope(), s.ready.nodes == 0, "most"
	harm := harms[t.pastBest.verdict.Severity()]
	if s.workload != nil && s.workload.Replicas > 1 {
		share = "some"
	}
	if t.nodes == 1 {
		return w.line("the pod's images are too much for %s: %s", w.single(t, unready), harm)
	}
	return w.line("the pod's images are too much for %s or all eligible nodes%s: %s there", share, aside(unready), harm)
}

// quietlyTooMuchSomewhere is for a template of which every node gets a pod.
func (w sentences) quietlyTooMuchSomewhere(s *survey, t *tally, enforced bool) string {
	unready, harm, refused := s.ready.nodes == 0, harms[t.worst.verdict.Severity()], ""
	if enforced && t.worst.verdict.AtLeast(s.policy.DenyAt) {
		refused = "; pods may be refused there"
	}
	if t.nodes == 1 {
		return w.line("the pod's images are too much for %s: %s%s", w.single(t, unready), harm, refused)
	}
	return w.line("the pod's images are too much for some or all eligible nodes%s, and each gets a pod: at worst, %s%s", aside(unready), harm, refused)
}

// quietlyAllowed is for the command line.
func (w sentences) quietlyAllowed(t *tally, unready bool) string {
	where := "the best eligible node" + aside(unready)
	if t.nodes == 1 {
		where = w.single(t, unready)
	}
	if t.best.verdict == verdict.Fits {
		return w.line("fits on %s", where)
	}
	return w.line("even on %s, %s", where, harms[max(t.best.verdict.Severity(), 0)])
}

// quietlyEverywhere is for the command line: every node can take a pod of the template.
func (w sentences) quietlyEverywhere(t *tally, unready bool) string {
	all := "every eligible node" + aside(unready)
	if t.worst.verdict == verdict.Fits {
		return w.line("fits on %s", all)
	}
	return w.line("%s can take it: at worst, %s", all, harms[max(t.worst.verdict.Severity(), 0)])
}
