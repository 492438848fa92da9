// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"cmp"
	"slices"
	"strings"

	"github.com/headroom-dev/headroom/estimate"
)

// Reserved is what pods that wait reserve on a node as seen by [Nobody], for whom none of it is certain. What a pod adds can be
// taken out of it again. It is comparable; zero is nothing.
type Reserved struct{ costs sums }

// Bytes is the sum.
func (r *Reserved) Bytes() estimate.Bytes { return r.costs.bytes() }

// Reserved returns what is reserved on a node. The view must be that of [Accounts.Standing].
func (a *Accounts) Reserved(row *NodeRow) (r Reserved) {
	if len(a.s.reservations) == 0 {
		return r
	}
	c := a.begin(row)
	if c.result.Tier == NoTier {
		return r
	}
	p := c.plan()
	if p.byName == nil {
		for i := range p.items {
			if item := &p.items[i]; !c.underWay(item) {
				r.costs.add(item.cost)
			}
		}
		return r
	}
	r.costs = p.sum
	for _, i := range c.underWayOf(p) {
		r.costs.take(p.items[i].cost)
	}
	return r
}

// maxReservedAnew is how many images' reservations may have changed for a [ReservedChange] to be quicker than to add up all.
const maxReservedAnew = 64

// ReservedChange is by what reservations differ between two snapshots. It gives what [Accounts.Reserved] gives, of nodes whose
// rows are the same in both, at the cost of what has changed. It is for one goroutine.
type ReservedChange struct {
	accounts *Accounts
	before   *Snapshot
	changes  []reservationChange
	// sets are the candidates of the pods that have come or gone. Nodes that are in the same of them differ by the same.
	sets []*candidates
	// nominated are the nodes that were planned for some pod before.
	nominated map[string]struct{}
	deltas    map[deltaKey][]delta
	lastKey   deltaKey
	last      []delta
}

type deltaKey struct {
	kind *kind
	sets uint64
}

// reservationChange is one image's reservation in both snapshots, nil for none.
type reservationChange struct{ before, after *reservation }

// delta is what one image adds to nodes that lack it.
type delta struct {
	planned       planned // with no cost
	before, after estimate.Bytes
}

// ReservedSince prepares what has changed in reservations since an earlier snapshot of the same ledger in which all sizes were the
// same. It is nil where so much has that it is better to add up anew.
func (a *Accounts) ReservedSince(before *Snapshot) *ReservedChange {
	c := &ReservedChange{accounts: a, before: before, deltas: make(map[deltaKey][]delta), nominated: nominatedBy(before.reservations)}
	x, y := before.reservations, a.s.reservations
	for len(x) > 0 || len(y) > 0 {
		order := 0
		switch {
		case len(x) == 0:
			order = 1
		case len(y) == 0:
			order = -1
		case x[0] != y[0]:
			order = strings.Compare(x[0].ref.String(), y[0].ref.String())
		}
		var change reservationChange
		if order <= 0 {
			change.before, x = x[0], x[1:]
		}
		if order >= 0 {
			change.after, y = y[0], y[1:]
		}
		if !c.add(change) {
			return nil
		}
	}
	return c
}

// add is false where there are too many changes, or nodes have become candidates, or are none any more.
func (c *ReservedChange) add(change reservationChange) bool {
	if change.before == change.after {
		for i := range change.after.wants {
			if slot := change.after.wants[i].group; c.before.candidates[slot] != c.accounts.s.candidates[slot] {
				return false
			}
		}
		return true
	}
	c.changes = append(c.changes, change)
	c.join(change.before, c.before)
	c.join(change.after, c.accounts.s)
	return len(c.changes) <= maxReservedAnew && len(c.sets) <= 64
}

func (c *ReservedChange) join(r *reservation, of *Snapshot) {
	if r == nil {
		return
	}
	for i := range r.wants {
		if set := of.candidates[r.wants[i].group]; !slices.Contains(c.sets, set) {
			c.sets = append(c.sets, set)
		}
	}
}

// Of returns what is reserved on a node on which that much was before. It is false where it has to be added up anew. The node's
// account must have a tier: without one, nothing is reserved.
func (c *ReservedChange) Of(row *NodeRow, before Reserved) (after Reserved, known bool) {
	if _, was := c.nominated[row.Name]; was || before.costs.beyond() {
		return before, false
	}
	if _, is := c.accounts.nominated[row.Name]; is {
		return before, false
	}
	here := accountant{Accounts: c.accounts, node: row, row: row.row, kind: c.accounts.kindOf(row)}
	after = before
	for _, d := range c.deltasOf(&here) {
		if !here.underWay(&d.planned) {
			after.costs.take(d.before)
			after.costs.add(d.after)
		}
	}
	return after, !after.costs.beyond()
}

func (c *ReservedChange) deltasOf(here *accountant) []delta {
	key := deltaKey{kind: here.kind}
	for i, set := range c.sets {
		if set.possible.has(here.row.slot) {
			key.sets |= 1 << i
		}
	}
	if key == c.lastKey {
		return c.last
	}
	all, known := c.deltas[key]
	if !known {
		for _, change := range c.changes {
			d := delta{before: here.costOf(change.before, c.before), after: here.costOf(change.after, here.s)}
			if d.before == d.after {
				continue
			}
			of := cmp.Or(change.before, change.after)
			d.planned = planned{ref: of.ref, hash: of.hash}
			all = append(all, d)
		}
		c.deltas[key] = all
	}
	c.lastKey, c.last = key, all
	return all
}

// costOf is what a reservation of a snapshot, nil for none, adds to a node that lacks the image.
func (a *accountant) costOf(r *reservation, of *Snapshot) estimate.Bytes {
	if r == nil {
		return estimate.Bytes{}
	}
	d := a.demand(r, of)
	if !d.any {
		return estimate.Bytes{}
	}
	return a.planned(r, d).cost
}
