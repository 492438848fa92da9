// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fit

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/headroom-dev/headroom/verdict"
)

// refusedLater is for a template whose pods would be refused.
func (w sentences) refusedLater(s *survey) string {
	return w.and(w.denial(s), "; its pods would be refused")
}

// and adds to a sentence what must not be lost: where both are too long for one line, the sentence is cut.
func (sentences) and(sentence, more string) string {
	return cut(sentence, maxRunes-utf8.RuneCountInString(more)) + more
}

// crowded is for replicas that some node can't take, with no place for all of them on the others.
func (w sentences) crowded(s *survey, t *tally, unready bool) string {
	harm, replicas := harms[t.pastBest.verdict.Severity()], s.workload.replicas()
	good, of := s.goodOf(t)
	// Of nodes that nobody knows enough about, some may be able to.
	bound := "only"
	if t.unknown > 0 {
		bound = "at most"
	}
	return w.line("needs %s on a node; %s %d of %d eligible nodes%s can take that, enough for %d of %d %s: %s on the others%s",
		t.needs(), bound, good, of, aside(unready), s.places(t), s.workload.Replicas, replicas, harm, t.cause())
}

// spread says of replicas that are admitted how many nodes can take one.
func (w sentences) spread(d *Decision, r *Request, t *tally) string {
	if !w.numbers || r.Workload == nil || r.Workload.Replicas < 2 || t.nodes < 2 {
		return ""
	}
	return fmt.Sprintf("; %d of %d can take one of %d %s", d.CanTake, t.nodes, r.Workload.Replicas, r.Workload.replicas())
}

// replicas is what the pods are called that are wanted at a time.
func (w *Workload) replicas() string {
	if w.Kind == "Job" || w.Kind == "CronJob" {
		return "parallel pods"
	}
	return "replicas"
}

// tooMuchSomewhere is for a template of which every node gets a pod, and some can't take it. enforced says that pods are
// refused on nodes that are past denyAt at their best.
func (w sentences) tooMuchSomewhere(s *survey, t *tally, enforced bool) string {
	if !w.numbers {
		return w.quietlyTooMuchSomewhere(s, t, enforced)
	}
	sentence := w.onSomeNodes(t, s.ready.nodes == 0)
	if t.nodes == 1 {
		sentence = w.warning(s)
	}
	switch {
	case !enforced || t.refuses == 0:
		return sentence
	case t.refuses == t.past:
		return w.and(sentence, "; its pods would be refused instead")
	default:
		return w.and(sentence, fmt.Sprintf("; its pods would be refused on %d instead", t.refuses))
	}
}

func (w sentences) onSomeNodes(t *tally, unready bool) string {
	switch harm := t.harmsOf(t.threshold); {
	case t.shortOfInodes():
		return w.inodes(t, unready)
	case t.all():
		return w.line("needs %s on a node; none of %d eligible nodes%s can take that: %s%s", t.needs(), t.nodes, aside(unready), harm, t.cause())
	default:
		return w.line("needs %s on a node; %d of %d eligible nodes%s cannot take that, and each gets a pod: %s%s",
			t.needs(), t.past, t.nodes, aside(unready), harm, t.cause())
	}
}

// maxHarms is how many kinds of harm one sentence holds, the worst ones.
const maxHarms = 3

// harmsOf says what would happen on the nodes with at least the verdict from, and on how many.
func (t *tally) harmsOf(from verdict.Verdict) string {
	var parts []string
	harm := ""
	for _, v := range verdict.All()[max(from.Severity(), 1):len(harms)] {
		if n := t.counts.Of(v); n > 0 {
			harm = harms[v.Severity()]
			parts = append(parts, fmt.Sprintf("%s on %d", harm, n))
		}
	}
	switch {
	case len(parts) == 1 && t.counts.Of(t.worst.verdict) == t.nodes:
		return harm
	case len(parts) == 1 && from == t.threshold:
		return harm + " there"
	default:
		return strings.Join(parts[max(len(parts)-maxHarms, 0):], ", ")
	}
}

// everywhere is for the command line: every node can take a pod of the template.
func (w sentences) everywhere(t *tally, unready bool) string {
	of := fmt.Sprintf("%d eligible nodes%s", t.nodes, aside(unready))
	switch need := t.worst.Need; {
	case t.nodes == 1:
		return w.allowed(t, unready)
	case !w.numbers:
		return w.quietlyEverywhere(t, unready)
	case t.worst.verdict != verdict.Fits:
		return w.line("all %s can take it: %s", of, t.harmsOf(verdict.Fits))
	case need.High == 0:
		return w.line("fits: nothing to pull on any of %s", of)
	case need.Likely == 0:
		return w.line("fits: likely nothing to pull on any of %s", of)
	default:
		return w.line("fits on all %s: needs %s there at most", of, amount{need.Likely, need.IsExact()})
	}
}
