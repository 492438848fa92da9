// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"math"
	"slices"

	"k8s.io/apimachinery/pkg/types"
)

// isQuiet reports whether a bound pod can be parked.
func (p *podState) isQuiet() bool {
	for i := range p.latches {
		if !p.latches[i].sampled { // mostly it is this, and the row need not be looked at
			return false
		}
		if image := &p.pod.Images[i]; !image.Pulled || image.Failing {
			return false
		}
	}
	created := p.pod.CreatedUnixSeconds
	return len(p.latches) == len(p.pod.Images) && 0 <= created && created <= math.MaxUint32
}

// parkQuiet parks what pods of a node can be.
func (l *Ledger) parkQuiet(n *nodeState) {
	quiet := l.scratch.states[:0]
	for _, p := range n.pods {
		if n.canPark(p) {
			quiet = append(quiet, p)
		}
	}
	if len(quiet) > 0 {
		n.parked = n.parked.clone(len(quiet))
		for _, p := range quiet {
			l.park(n, p)
		}
		n.facts = nil
	}
	clear(quiet)
	l.scratch.states = quiet
}

func (n *nodeState) canPark(p *podState) bool {
	return p.isQuiet() && (n.watch == nil || n.watch.pod != p.pod.UID)
}

// park parks a pod where no snapshot has the node's parking.
func (l *Ledger) park(n *nodeState, p *podState) {
	uid, whole := shorten(p.pod.UID)
	parked := parkedPod{uid: uid, createdUnixSeconds: uint32(p.pod.CreatedUnixSeconds)} //nolint:gosec // isQuiet has looked
	rest := parkedRest{latches: parkedLatches(p.latches)}
	if !whole {
		rest.uid = p.pod.UID
	}
	s, end := l.shapes.take(p.pod, l.next.seed)
	if parked.nameEnd, whole = shortTextOf(end); !whole {
		rest.nameEnd = end
	}
	if rest.latches == nil && rest.uid == "" && rest.nameEnd == "" {
		n.parked.add(parked, s, nil)
	} else {
		n.parked.add(parked, s, &rest)
	}
	l.parked.add(uid, n.index)
	delete(l.pods, p.pod.UID)
	n.release(p.pod.UID)
}

// parkedLatches returns nil for those of a pod that was there when nothing was lost yet.
func parkedLatches(latches []latch) []parkedLatch {
	if !slices.ContainsFunc(latches, func(l latch) bool {
		return l.presence != PresenceUnsure || l.watched || l.baselineBytes != 0 || l.endBytes != 0
	}) {
		return nil
	}
	parked := make([]parkedLatch, len(latches))
	for i := range latches {
		l := &latches[i]
		parked[i] = parkedLatch{l.baselineBytes, l.endBytes, l.presence, l.watched}
	}
	return parked
}

// unpark makes a parked pod one like any other again, if there is one of that UID.
func (l *Ledger) unpark(uid types.UID) {
	n, i := l.findParked(uid)
	if n == nil {
		return
	}
	p := &podState{pod: n.parked.row(i, n.name), latches: n.parked.latches(i)}
	l.takeParked(n, i)
	n.hold(p)
	l.pods[uid] = p
}

// reshape writes the row of a parked pod that would be parked again: mostly it has been told to end. It is false where the row is
// no such row.
func (l *Ledger) reshape(pod *Pod) bool {
	n, i := l.findParked(pod.UID)
	if n == nil || pod.NodeName != n.name || pod.CreatedUnixSeconds != int64(n.parked.pods[i].createdUnixSeconds) {
		return false
	}
	before := n.parked.shapes[i]
	if !sameButStarts(before.pod.Images, pod.Images) {
		return false
	}
	if _, end := splitName(pod.Name); end != n.parked.nameEnd(i) {
		return false
	}
	s, _ := l.shapes.take(pod, l.next.seed)
	l.shapes.release(before)
	n.parked = n.parked.withShape(i, s)
	if n.facts != nil && s.isUsedAs(before) {
		n.facts = n.facts.withParked(n.parked)
	} else {
		n.facts = nil
	}
	l.changeRow(n)
	return true
}

// dropParked takes away a parked pod that is deleted and leaves nothing: its node lists all its images. It is false for any other.
func (l *Ledger) dropParked(uid types.UID) bool {
	n, i := l.findParked(uid)
	if n == nil || l.synced && n.node != nil && !n.listsAll(n.parked.shapes[i]) {
		return false
	}
	l.takeParked(n, i)
	n.facts = nil
	n.disturb()
	l.changeRow(n)
	l.forgetUnused(n)
	return true
}

func (n *nodeState) listsAll(s *shape) bool {
	return !slices.ContainsFunc(s.pod.Images, func(image PodImage) bool { _, listed := n.list.find(image.Ref); return !listed })
}

// takeParked takes a pod out of its node's parking.
func (l *Ledger) takeParked(n *nodeState, i int) {
	l.shapes.release(n.parked.shapes[i])
	l.parked.remove(n.parked.pods[i].uid, n.index)
	n.parked = n.parked.without(i)
}

// findParked returns a parked pod's node and its place there, nil if there is none of that UID.
func (l *Ledger) findParked(uid types.UID) (*nodeState, int) {
	short, _ := shorten(uid)
	for index := range l.parked.nodes(short) {
		n := l.byIndex[index]
		if place := n.parked.placeOf(short); place >= 0 {
			return n, place
		}
	}
	return nil, 0
}

// restarted is rest with nothing lost since the pod came.
func (r *parkedRest) restarted() *parkedRest {
	c := *r
	c.latches = slices.Clone(r.latches)
	for i := range c.latches {
		c.latches[i].baselineBytes, c.latches[i].endBytes = 0, 0
	}
	return &c
}

// unwatched is rest as it would be if the pod had been there before the ledger was.
func (r *parkedRest) unwatched() *parkedRest {
	if r.uid == "" && r.nameEnd == "" {
		return nil
	}
	return &parkedRest{uid: r.uid, nameEnd: r.nameEnd}
}
