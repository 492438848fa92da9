// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fit

import (
	"fmt"

	"github.com/headroom-dev/headroom/estimate"
	"github.com/headroom-dev/headroom/verdict"
)

// Every sentence that a person reads is in this file, in message_template.go, message_quiet.go, message_waiting.go, around.go
// and words.go. First comes what is wrong, then the numbers with their units and the limit, then the scope. "~" marks an
// estimate. A denial speaks of what holds at the least and at the best, a warning of what is likely.

// topic is what every sentence starts with.
const topic = "image storage: "

// sentences writes them with as much detail as the policy allows.
type sentences struct {
	// numbers allows figures, names those of nodes.
	numbers, names bool
	// bound is set where the pod has its node already.
	bound bool
	// kept are sentences that were written before; nil where they are not kept.
	kept *kept
}

// denial is for a pod that is refused.
func (w sentences) denial(s *survey) string {
	if s.left != nil {
		return w.behindOthers(s)
	}
	if !w.numbers {
		return w.quietDenial(s)
	}
	t := &s.possible
	v, limit, also := t.pastBest.verdict, t.limit(), ""
	if s.grown() {
		also = ", nor can a new one"
	}
	if t.shortOfInodes() {
		return w.inodes(t, false)
	}
	also += t.cause()
	need := "at least " + estimate.Format(t.least.bytes)
	if t.least.exact {
		need = estimate.Format(t.least.bytes)
	}
	switch room := t.rooms[v.Severity()]; {
	case t.nodes == 1:
		return w.line("needs %s; %s has %s %s%s", need, w.single(t, false), atBest(room), limit, also)
	case !t.sameNeed():
		return w.line("needs %s on a node; none of %d eligible nodes has enough room %s%s", need, t.nodes, limit, also)
	default:
		return w.line("needs %s on a node; none of %d eligible nodes can hold that %s (%s%s)%s",
			need, t.nodes, limit, w.best(room, t.least), w.on(t), also)
	}
}

// warning is for a pod that is admitted although it likely overloads most of the nodes that can take it.
func (w sentences) warning(s *survey) string {
	if !w.numbers {
		return w.quietWarning(s)
	}
	t := s.scope()
	v, limit, unready := t.pastBest.verdict, t.limit(), s.ready.nodes == 0
	if t.shortOfInodes() {
		return w.inodes(t, unready)
	}
	if !t.all() && s.crowds(t) {
		return w.crowded(s, t, unready)
	}
	if !t.all() {
		return w.partly(t, unready)
	}
	switch room := t.rooms[v.Severity()]; {
	case t.nodes == 1:
		return w.line("needs %s; %s has %s %s%s", t.needs(), w.single(t, unready), room.orNo(), limit, t.cause())
	case !t.sameNeed():
		return w.line("needs %s depending on the node; none of %d eligible nodes%s has enough %s%s",
			t.needs(), t.nodes, aside(unready), limit, t.cause())
	default:
		return w.line("needs %s on a node; none of %d eligible nodes%s has that much %s (most: %s%s)%s",
			t.needs(), t.nodes, aside(unready), limit, w.left(room, t.least), w.on(t), t.cause())
	}
}

// inodes is for a pod whose nodes are past the threshold because their inodes are short, whatever it needs.
func (w sentences) inodes(t *tally, unready bool) string {
	harm := t.inodes.harm()
	switch {
	case t.nodes == 1:
		return w.line("%s %s: %s", w.single(t, unready), t.inodes.lack(), harm)
	case t.all():
		return w.line("all %d eligible nodes%s %s: %s", t.nodes, aside(unready), t.inodes.lacks(), harm)
	default:
		return w.line("%d of %d eligible nodes%s %s: %s there", t.past, t.nodes, aside(unready), t.inodes.lacks(), harm)
	}
}

// sentBack is for a binding that is sent back from the one node that t has.
func (w sentences) sentBack(t *tally) string {
	node := w.nodeOf(t.best.Node, "the chosen node")
	switch v := t.pastBest.verdict; {
	case !w.numbers:
		return w.line("the pod's images are too much for %s: %s; another node would do", node, harms[v.Severity()])
	case t.shortOfInodes():
		return w.line("%s %s: %s; another node would do", node, t.inodes.lack(), t.inodes.harm())
	default:
		return w.line("needs %s; %s has %s %s%s; another node would do", t.needs(), node, t.rooms[v.Severity()].orNo(), t.limit(), t.cause())
	}
}

// partly is for a pod that would do harm on most nodes, but not on all.
func (w sentences) partly(t *tally, unready bool) string {
	harm := harms[t.pastBest.verdict.Severity()]
	return w.line("needs %s on a node; that is too much on %d of %d eligible nodes%s: %s there%s",
		t.needs(), t.past, t.nodes, aside(unready), harm, t.cause())
}

// allowed is for the command line: the pod is admitted, and something is known about the best node.
func (w sentences) allowed(t *tally, unready bool) string {
	about := w.aboutBest(t, unready)
	said, found := w.kept.find(&about)
	if !found {
		said = w.allowedAnew(t, unready)
		w.kept.keep(&about, said)
	}
	return said
}

func (w sentences) allowedAnew(t *tally, unready bool) string {
	if !w.numbers {
		return w.quietlyAllowed(t, unready)
	}
	best := &t.best
	where := fmt.Sprintf("the best of %d eligible nodes%s", t.nodes, aside(unready))
	if t.nodes == 1 {
		where = w.single(t, unready)
	}
	harm := best.harm()
	switch need := (amount{best.Need.Likely, best.Need.IsExact()}); {
	case need.bytes == 0 && need.exact:
		return w.line("fits: nothing to pull on %s", where)
	case best.verdict == verdict.Fits && need.bytes == 0:
		return w.line("fits: likely nothing to pull on %s", where)
	case best.verdict == verdict.Fits:
		limit := limits[verdict.TriggersGC.Severity()]
		if best.lineless && best.Account.GCLineBytes <= 0 {
			limit = "before the disk is full"
		}
		free := amount{estimate.SaturatingAdd(best.slack, need.bytes), best.Account.Available.IsExact()}
		return w.line("fits: needs %s; %s has %s %s", need, where, room{free, true}.text(), limit)
	default:
		return w.line("needs %s; even on %s, %s", need, where, harm)
	}
}

// noOpinion is for a pod whose candidates can't be judged.
func (w sentences) noOpinion(s *survey, t *tally) string {
	count, of := t.unmeasured, "the image storage of %s is not measured"
	switch t.why() {
	case StaleSample:
		count, of = t.stale, "what was measured on %s is too old"
	case UnknownSize:
		return w.line("no opinion: %s", w.unsized(s))
	default:
	}
	which := fmt.Sprintf("%d of %d eligible nodes", count, t.nodes)
	switch {
	case t.nodes == 1:
		which = w.nodeOf(t.unknownBest.Node, w.only())
	case !w.numbers:
		which = "eligible nodes"
	}
	return w.line("no opinion: "+of, which)
}

// unsized says which images have no size.
func (w sentences) unsized(s *survey) string {
	images := s.marked(s.unsized)
	switch {
	case len(images) == 1 && (w.numbers || len(s.images) == 1):
		return "nobody knows the size of image " + shown(images[0].Familiar())
	case w.numbers:
		return fmt.Sprintf("nobody knows the size of %d images, such as %s", len(images), shown(images[0].Familiar()))
	default:
		return "nobody knows the size of some of the pod's images"
	}
}

// undecided is for a pod for which no node was looked at.
func (w sentences) undecided(d *Decision, r *Request) string {
	switch d.Reason {
	case ModeOff:
		return w.line("not judged: the mode in force is Off")
	case ExemptPod:
		if d.Exemption == "namespace" {
			return w.line("not judged: the policy exempts namespace %s", shown(r.Namespace))
		}
		return w.line("not judged: the policy exempts priority class %s", shown(r.PriorityClass))
	case NotSynced:
		return w.line("no opinion: the cluster's nodes and pods have not all been read yet")
	case NoImages:
		return w.line("fits: the pod pulls no image")
	case NoReplicas:
		return w.line("nothing to run: no %s are wanted now", r.Workload.replicas())
	case InvalidImages:
		return w.line("no opinion: the image name in %s does not parse", shown(r.Invalid[0].Field))
	case UnknownNode:
		return w.line("no opinion: %s is not known", w.nodeOf(r.nodeName(), "the pod's node"))
	case NoCandidate:
		return w.line("no opinion: no node can take the pod")
	case UnknownSize, NotMeasured, StaleSample, ElasticPool, Excepted, ManyImages, UnknownPod, Tolerates, NoOtherNode:
	}
	return w.line("no opinion")
}

// line returns one line that starts with what it is about.
func (w sentences) line(format string, args ...any) string { return line(fmt.Sprintf(format, args...)) }

func line(text string) string { return cut(clean(topic+text), maxRunes) }

// best is the room there is at an optimistic bound.
func (w sentences) best(r room, need amount) string {
	r.exact = true
	return "at best " + w.left(r, need)
}

// left is the room there is, in words where its figure would be the same as that of the need.
func (w sentences) left(r room, need amount) string {
	if r.bytes > 0 && estimate.Format(r.bytes) == estimate.Format(need.bytes) {
		return "slightly less"
	}
	return r.text()
}
