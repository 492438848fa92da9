// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fit

import (
	"fmt"
	"strings"

	"github.com/headroom-dev/headroom/verdict"
)

// refusedLater is for a template whose pods would be refused.
func (w sentences) refusedLater(s *survey) string {
	return w.and(w.denial(s), "; its pods would be refused")
}

// and adds to a sentence.
func (sentences) and(sentence, more string) string { return cut(sentence+more, maxRunes) }

// crowded is for replicas that some node can't take, with too few others for all of them.
func (w sentences) crowded(s *survey, t *tally, unready bool) string {
	harm, of := harms[t.pastBest.verdict.Severity()], s.workload.replicas()
	if !w.numbers {
		return w.line("there are more %s than eligible nodes%s that can take the images: %s on the others%s", of, aside(unready), harm, t.cause())
	}
	// Of nodes that nobody knows enough about, some may be able to.
	bound := "only"
	if t.unknown > 0 {
		bound = "at most"
	}
	return w.line("needs %s on a node; %s %d of %d eligible nodes%s can take that, for %d %s: %s on the others%s",
		t.needs(), bound, t.nodes-t.past, t.nodes, aside(unready), s.workload.Replicas, of, harm, t.cause())
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
	sentence := w.onSomeNodes(t, s.ready.nodes == 0)
	if t.nodes == 1 {
		sentence = w.warning(s)
	}
	switch {
	case !enforced || t.refuses == 0:
		return sentence
	case t.refuses == t.past:
		return w.and(sentence, "; its pods would be refused instead")
	case w.numbers:
		return w.and(sentence, fmt.Sprintf("; its pods would be refused on %d instead", t.refuses))
	default:
		return w.and(sentence, "; its pods would be refused on some instead")
	}
}

func (w sentences) onSomeNodes(t *tally, unready bool) string {
	switch harm := w.harmsOf(t, t.threshold); {
	case t.shortOfInodes():
		return w.inodes(t, unready)
	case w.numbers && t.all():
		return w.line("needs %s on a node; none of %d eligible nodes%s can take that: %s%s", t.needs(), t.nodes, aside(unready), harm, t.cause())
	case w.numbers:
		return w.line("needs %s on a node; %d of %d eligible nodes%s cannot take that, and each gets a pod: %s%s",
			t.needs(), t.past, t.nodes, aside(unready), harm, t.cause())
	default:
		return w.line("the pod's images are too much for %s eligible nodes%s, and each gets a pod: %s%s", t.share(), aside(unready), harm, t.cause())
	}
}

// maxHarms is how many kinds of harm one sentence holds, the worst ones.
const maxHarms = 3

// harmsOf says what would happen on the nodes with at least the verdict from, and on how many. Without figures the mildest and
// the worst say enough.
func (w sentences) harmsOf(t *tally, from verdict.Verdict) string {
	var all, counted []string
	for _, v := range verdict.All()[max(from.Severity(), 1):len(harms)] {
		if n := t.counts.Of(v); n > 0 {
			all = append(all, harms[v.Severity()])
			counted = append(counted, fmt.Sprintf("%s on %d", harms[v.Severity()], n))
		}
	}
	there := ""
	if from == t.threshold && !t.all() {
		there = " there"
	}
	switch {
	case len(all) == 1 && (from == t.threshold || t.counts.Of(t.worst.verdict) == t.nodes):
		return all[0] + there
	case w.numbers:
		return strings.Join(counted[max(len(counted)-maxHarms, 0):], ", ")
	case len(all) == 1:
		return all[0] + " on some"
	default:
		return all[0] + " on some, " + all[len(all)-1] + " on others"
	}
}

// everywhere is for the command line: every node can take a pod of the template.
func (w sentences) everywhere(t *tally, unready bool) string {
	every, anyNode := "every eligible node"+aside(unready), "any eligible node"+aside(unready)
	if w.numbers {
		every, anyNode = fmt.Sprintf("all %d eligible nodes%s", t.nodes, aside(unready)), fmt.Sprintf("any of %d eligible nodes%s", t.nodes, aside(unready))
	}
	switch need := t.worst.Need; {
	case t.nodes == 1:
		return w.allowed(t, unready)
	case t.worst.verdict != verdict.Fits:
		return w.line("%s can take it: %s", every, w.harmsOf(t, verdict.Fits))
	case need.High == 0:
		return w.line("fits: nothing to pull on %s", anyNode)
	case need.Likely == 0:
		return w.line("fits: likely nothing to pull on %s", anyNode)
	case !w.numbers:
		return w.line("fits on %s", every)
	default:
		return w.line("fits on %s: needs %s there at most", every, amount{need.Likely, need.IsExact()})
	}
}

// share says without a figure how many nodes are past the threshold.
func (t *tally) share() string {
	switch {
	case t.all():
		return "all"
	case t.majority():
		return "most"
	default:
		return "some"
	}
}
