// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fit

import (
	"time"

	"github.com/headroom-dev/headroom/estimate"
	"github.com/headroom-dev/headroom/ledger"
	"github.com/headroom-dev/headroom/verdict"
)

// The rule of those who wait. Nobody knows yet to which of several nodes pods will be bound that have just been admitted, so
// that none of the nodes has certainly less room for them. All of them together have: a burst of pods is held to that, where
// each of its pods would fit for itself. Only pods of the same namespace count: what is not bound yet may never be, and is no
// reason to refuse somebody else's pod.
//
// The premise is that each of them goes where it fits, as long as there is such a node. Steering sees to that. Without it, the
// scheduler may pile pods up on one node and leave another one free, so that a refusal may come too early. It does not last:
// pods count for waitingMaxAge. A pod that fits nowhere may go anywhere, and takes as good as nothing from a node that is
// full. So it must be sure that a pod fits somewhere at its turn, however those before it have spread. It is where each node
// that could hold the pod that is judged could hold it as well: then, as long as there is room for the one, there is for the
// other. It is where the pod that waits could go to each of these nodes now, and pulls no more than the one that is judged
// besides what others bring. Then its images take, of all nodes together, the least that they take of a node where it fits.
//
// That several pods together may ask for more CPU or memory than there is, is not looked at, and neither is what is left out of
// placement, such as volumes: the scheduler may put such a pod on a full node for want of another, and a refusal in the moment
// before comes too early. Those for which it finds no node are marked as unschedulable, and don't count.

// waitingMaxAge is how long after its creation a pod counts that is not bound. Most are bound in a second or two; one that is
// not may have a scheduler that nobody runs. A time of creation in the future, by clocks that differ, counts as far.
const waitingMaxAge = time.Minute

// Where there is more to look at, the rule says nothing: waiting pods that are not the same, images times nodes, layers, and
// kinds of nodes.
const (
	maxWaiting        = 128
	maxWaitingLooks   = 1 << 18
	maxWaitingLayers  = 1 << 14
	maxWaitingClasses = 16
)

// total adds up, over the nodes that could hold the pod, what they can hold before the policy's denyAt.
type total struct {
	room int64
	// lacks is the least that has to be left of it for the pod to fit on some node, need what the pod needs of that.
	lacks int64
	need  amount
	// evicts is set where some possible node's kubelet has an eviction line.
	evicts bool
}

// seen is a possible node with its class, and what was found out about it: what the pod that is judged needs there, the room
// there is for others, which may be negative, and whether it is too full for the pod.
type seen struct {
	row   *ledger.NodeRow
	class *class
	need  estimate.Bytes
	room  int64
	past  bool
}

// heed counts a possible node at its optimistic bound, for the case that others wait.
func (s *survey) heed(row *ledger.NodeRow, c *class, r *NodeResult, best figures) {
	if len(s.waiting) == 0 {
		return
	}
	t, denyAt := &s.total, s.policy.DenyAt
	here := seen{row: row, class: c, need: r.Need, room: best.roomForOthers(denyAt), past: r.Optimistic.AtLeast(denyAt)}
	s.seen = append(s.seen, here)
	t.evicts = t.evicts || !best.lineless()
	if r.Account.Old {
		t.lacks = 0 // What it has left refuses nothing.
	}
	if here.past {
		return
	}
	t.room = estimate.SaturatingAdd(t.room, max(here.room, 0))
	if best.need <= 0 {
		t.lacks = 0
		return
	}
	// What is on the disk only while this pod's images are pulled has to be left, too.
	t.lacks = min(t.lacks, estimate.SaturatingAdd(best.need, estimate.SaturatingSub(here.room, best.room(denyAt))))
	need := amount{best.need, r.Need.IsExact()}
	switch {
	case t.need.bytes > need.bytes:
		t.need = need
	case t.need.bytes == need.bytes:
		t.need.exact = t.need.exact && need.exact
	}
}

// roomForOthers is what a node can hold of images that are not those of the pod that is judged. It may be negative.
func (f figures) roomForOthers(denyAt verdict.Verdict) int64 {
	f.peak = 0
	return f.room(denyAt)
}

// heedWaiting finds out whether pods that wait leave too little for this one on every node.
func (s *survey) heedWaiting() {
	t := &s.total
	if len(s.waiting) == 0 || t.lacks <= 0 || s.possible.unknown > 0 || s.possible.nodes == s.possible.past {
		return
	}
	q := s.queueOf(s.waiting)
	if q == nil || estimate.SaturatingSub(t.room, q.most()) >= t.lacks || !q.look() {
		return
	}
	if left := q.leaves(t.room); left < t.lacks {
		s.left = new(max(left, s.possible.rooms[s.policy.DenyAt.Severity()].bytes, 0))
	}
}

// look asks each node what the images take of it. It is false where that is too much to ask, and where the others may bring to
// some node, however full, all that the pod lacks there.
func (q *queue) look() bool {
	q.join()
	candidates, startup := q.survey.seen, startupTaints(q.survey.policy)
	for row := range q.survey.snapshot.Nodes() {
		if len(candidates) == 0 || candidates[0].row.Name != row.Name {
			q.elsewhere(row, startup)
			continue
		}
		here := &candidates[0]
		if candidates = candidates[1:]; !q.know(here.class) || here.need.Low <= q.shares[here.class].brought.Low {
			return false
		}
		q.on(here, startup)
		if !here.past {
			q.compare(here)
		}
	}
	return true
}

// comesTo reports whether a pod that waits could be bound to the node, now or once it has started.
func comesTo(w *ledger.Waiting, row *ledger.NodeRow, startup func(string) bool) bool {
	if w.Possible(row) {
		return true
	}
	for i := range row.Taints {
		if startup(row.Taints[i].Key) {
			return w.TiedTo(row)
		}
	}
	return false
}
