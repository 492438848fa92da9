// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/types"
)

// parkedPod is a pod that is bound and has all its images, which its node's sample has seen: nearly all pods are such, and
// nothing more will come of them until their row changes. Of what a podState holds, all is here that can matter again.
type parkedPod struct {
	uid                shortUID
	shape              *shape
	nameEnd            string
	createdUnixSeconds int64
	// rest is nil for nearly all pods that were there before the ledger was.
	rest *parkedRest
}

type parkedRest struct {
	uid     types.UID // where shortUID does not tell it
	latches []parkedLatch
}

// parkedLatch is the latch of an image that a sample has seen.
type parkedLatch struct {
	baselineBytes, endBytes int64
	presence                Presence
	watched                 bool
}

// restarted is rest with nothing lost since the pod came.
func (r *parkedRest) restarted() *parkedRest {
	if r == nil || r.latches == nil {
		return r
	}
	latches := slices.Clone(r.latches)
	for i := range latches {
		latches[i].baselineBytes, latches[i].endBytes = 0, 0
	}
	return &parkedRest{uid: r.uid, latches: latches}
}

// unwatched is rest as it would be if the pod had been there before the ledger was.
func (r *parkedRest) unwatched() *parkedRest {
	if r == nil || r.uid == "" {
		return nil
	}
	return &parkedRest{uid: r.uid}
}

func (k *parkedLatch) latch() latch {
	return latch{presence: k.presence, watched: k.watched, baselineBytes: k.baselineBytes, endBytes: k.endBytes, sampled: true}
}

// isQuiet reports whether a bound pod can be parked.
func (p *podState) isQuiet() bool {
	for i := range p.latches {
		if image := &p.pod.Images[i]; !image.Pulled || image.Failing || !p.latches[i].sampled {
			return false
		}
	}
	return len(p.latches) == len(p.pod.Images)
}

// parkQuiet parks what pods of a node can be.
func (l *Ledger) parkQuiet(n *nodeState) {
	var quiet []parkedPod
	for _, p := range n.pods {
		if p.isQuiet() && (n.watch == nil || n.watch.pod != p.pod.UID) {
			quiet = append(quiet, l.parkedOf(n, p))
			delete(n.pods, p.pod.UID)
			delete(l.pods, p.pod.UID)
		}
	}
	if len(quiet) == 0 {
		return
	}
	// Snapshots share what is there.
	all := make([]parkedPod, 0, len(n.parked)+len(quiet))
	n.parked = append(append(all, n.parked...), quiet...)
}

// park is parkQuiet for one pod, before anything is published.
func (l *Ledger) park(n *nodeState, p *podState) {
	n.parked = append(n.parked, l.parkedOf(n, p))
	delete(n.pods, p.pod.UID)
	delete(l.pods, p.pod.UID)
}

// parkedOf makes a pod a parked one of the node.
func (l *Ledger) parkedOf(n *nodeState, p *podState) parkedPod {
	short, whole := shorten(p.pod.UID)
	parked := parkedPod{uid: short, createdUnixSeconds: p.pod.CreatedUnixSeconds}
	parked.shape, parked.nameEnd = l.shapes.take(p.pod, l.next.seed)
	parked.nameEnd = strings.Clone(parked.nameEnd)
	if latches := parkedLatches(p.latches); latches != nil || !whole {
		parked.rest = &parkedRest{latches: latches}
		if !whole {
			parked.rest.uid = p.pod.UID
		}
	}
	l.parked[short] = n
	return parked
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

// unpark makes a parked pod one like any other again, nil if there is none of that UID.
func (l *Ledger) unpark(uid types.UID) *podState {
	n, i := l.findParked(uid)
	if n == nil {
		return nil
	}
	parked := &n.parked[i]
	p := &podState{pod: parked.row(n.name)}
	p.latches = make([]latch, len(p.pod.Images))
	for i := range p.latches {
		p.latches[i] = latch{presence: PresenceUnsure, sampled: true}
		if parked.rest != nil && parked.rest.latches != nil {
			p.latches[i] = parked.rest.latches[i].latch()
		}
	}
	l.shapes.release(parked.shape)
	delete(l.parked, parked.uid)
	n.parked = append(slices.Clone(n.parked[:i]), n.parked[i+1:]...)
	n.pods[uid], l.pods[uid] = p, p
	return p
}

// findParked returns a parked pod's node and its place there, nil if there is none of that UID.
func (l *Ledger) findParked(uid types.UID) (*nodeState, int) {
	short, _ := shorten(uid)
	n := l.parked[short]
	if n == nil {
		return nil, 0
	}
	return n, slices.IndexFunc(n.parked, func(p parkedPod) bool { return p.uid == short })
}

// row is the pod's row, but for when its containers started.
func (p *parkedPod) row(node string) *Pod {
	pod := p.shape.pod
	pod.UID, pod.NodeName, pod.Name, pod.CreatedUnixSeconds = p.longUID(), node, p.name(), p.createdUnixSeconds
	return &pod
}

func (p *parkedPod) longUID() types.UID {
	if p.rest != nil && p.rest.uid != "" {
		return p.rest.uid
	}
	return p.uid.long()
}

func (p *parkedPod) name() string { return p.shape.pod.Name + p.nameEnd }

// isSame reports whether a row says nothing new of the pod, which is on the node.
func (p *parkedPod) isSame(pod *Pod, node string) bool {
	begin, end := splitName(pod.Name)
	common := *pod
	common.Name = begin
	return pod.NodeName == node && end == p.nameEnd && pod.CreatedUnixSeconds == p.createdUnixSeconds &&
		samePodRow(&p.shape.pod, &common) && sameButStarts(p.shape.pod.Images, pod.Images)
}
