// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"slices"
	"time"
)

// latch remembers, for one image of a bound pod, what can't be recomputed later.
type latch struct {
	// presence of the image when the pod was first seen bound.
	presence Presence
	// watched says that we saw the pod become bound, so that baselineBytes means
	// something: the node's lost bytes at that moment.
	watched       bool
	baselineBytes int64
	// failingSince is when the image was first seen failing without a break, our clock.
	failingSince time.Time
	// pulledAt is when the image was first seen pulled, our clock.
	pulledAt time.Time
	// sampled says that a sample was taken after the image was there, and
	// endBytes what the node had lost then: what is lost later is not its doing.
	sampled  bool
	endBytes int64
}

// latches returns the latches for a pod's new row: those of images it had on this
// node before, and new ones. The pod's old row, if any, is still in p.
func (l *Ledger) latches(n *nodeState, p *podState, pod *Pod, now time.Time) []latch {
	result := make([]latch, len(pod.Images))
	for i := range pod.Images {
		image := &pod.Images[i]
		latched := &result[i]
		if old := p.latchOf(image); old != nil {
			*latched = *old
		} else {
			*latched = l.firstSight(n, image)
		}
		if !image.Failing {
			latched.failingSince = time.Time{}
		} else if latched.failingSince.IsZero() {
			latched.failingSince = now
		}
		if image.Pulled && latched.pulledAt.IsZero() {
			latched.pulledAt = now
		}
	}
	return result
}

func (p *podState) latchOf(image *PodImage) *latch {
	if p.latches == nil {
		return nil
	}
	i := slices.IndexFunc(p.pod.Images, func(o PodImage) bool { return o.Ref == image.Ref })
	if i < 0 {
		return nil
	}
	return &p.latches[i]
}

// firstSight is the latch of an image that a pod was not known to have here.
func (l *Ledger) firstSight(n *nodeState, image *PodImage) latch {
	if !l.synced {
		return unwatched(image, n.lostBytes)
	}
	first := latch{presence: PresenceUnsure, watched: true, baselineBytes: n.lostBytes}
	if n.node != nil {
		if _, listed := n.list.find(image.Ref); listed { // mostly it is, and nobody need know what other pods use
			first.presence = Present
			return first
		}
		r := newRow(l.withFacts(n))
		first.presence = r.presence(image.Ref, &Snapshot{contents: l.next})
		if first.presence == Absent && r.mayHave(l.next.knownOf(image.Ref, platformOf(n.node))) {
			first.presence = PresenceUnsure // By another name: then it brings nothing.
		}
	}
	return first
}

// unwatched is the latch of a pod that was bound before we looked, or whose node
// has been replaced since. What already runs is taken to have been there always.
func unwatched(image *PodImage, lostBytes int64) latch {
	return latch{presence: PresenceUnsure, baselineBytes: lostBytes, endBytes: lostBytes, sampled: image.Pulled}
}

// settleAll is settle for all pods, those that are gone among them.
func (n *nodeState) settleAll() {
	for _, p := range n.pods {
		if n.settle(p) {
			n.facts = nil
		}
	}
	for _, p := range n.gone {
		if n.settle(p) {
			n.facts = nil
		}
	}
}

// settle notes which images of the pod the sample held has seen, and reports
// whether there was one. A sample that was taken after we saw the pod deleted has
// seen all of them: what it left undone goes on no further.
func (n *nodeState) settle(p *podState) (changed bool) {
	for i := range p.latches {
		image, latched := &p.pod.Images[i], &p.latches[i]
		if latched.sampled {
			continue
		}
		if image.Pulled && n.sampledSince(image, latched) || p.isGone() && n.sampledAfter(p.goneAt) {
			latched.sampled, latched.endBytes = true, n.lostBytes
			changed = true
		}
	}
	return changed
}

// sampledSince reports whether the sample held was taken after the image was on
// the disk. The first start of a container tells by the node's clock; where none has
// started, the time at which we saw the image pulled does, by ours.
func (n *nodeState) sampledSince(image *PodImage, latched *latch) bool {
	m := n.measurement
	switch {
	case m == nil:
		return false
	case !image.StartedAt.IsZero():
		return !image.StartedAt.After(m.SampledAt)
	default:
		return n.sampledAfter(latched.pulledAt)
	}
}

// sampledAfter reports whether the sample held was taken at t or later. t is our
// clock, and so is the time of receipt; the sample's age is the node's alone, so
// that what comes of both does not depend on how far the clocks are apart.
func (n *nodeState) sampledAfter(t time.Time) bool {
	m := n.measurement
	return m != nil && !m.ReceivedAt.Add(-m.AgeAtReceipt).Before(t)
}
