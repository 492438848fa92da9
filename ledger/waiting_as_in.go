// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package ledger

// restedSlots is how many nodes may go before the slot of the first of them is another node's: so long [Snapshot.WaitingAsIn] can
// tell nodes apart.
const restedSlots = 64

// WaitingAsIn returns the snapshot as it would be if the pods that wait were still those of an earlier one of the same ledger, and
// could go where they could then: not to nodes that have come since. A pod that has been bound since both waits and is on its
// node, where its images are under way and not counted twice. It is one of the two itself where nothing else is new, or nothing of
// the pods that wait. It is false where many nodes have gone since.
//
// It is for who follows all nodes: what changes of a node concerns that node, what waits concerns all of them.
func (s *Snapshot) WaitingAsIn(before *Snapshot) (*Snapshot, bool) {
	switch {
	case s.released-before.released >= restedSlots || s.synced != before.synced:
		return nil, false
	case s.SameWaiting(before):
		return s, true
	case s.rows.same(before.rows) && s.resizes.count == before.resizes.count && s.SameSizes(before) && s.autoscaler.same(before.autoscaler):
		return before, true
	}
	c := s.contents
	c.unbound, c.named, c.arrivals = before.unbound, before.named, before.arrivals
	c.candidates, c.reservations = before.candidates, before.reservations
	return &Snapshot{contents: c}, true
}

// SameWaiting reports whether the same pods wait for the same nodes in both snapshots.
func (s *Snapshot) SameWaiting(o *Snapshot) bool {
	return s.unbound.same(o.unbound) && s.SameReservations(o, &Resized{})
}

// same reports whether both are the very same rows.
func (r rows) same(o rows) bool {
	return len(r.chunks) == len(o.chunks) && (len(r.chunks) == 0 || &r.chunks[0] == &o.chunks[0])
}
