// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"cmp"
	"slices"
	"strings"

	"github.com/headroom-dev/headroom/estimate"
	"github.com/headroom-dev/headroom/imageref"
)

// maxReservedAnew and maxChangedSets are how many images' reservations may have changed, and of pods with how many different
// constraints, for a [ReservedChange] to be quicker than to add up all.
const (
	maxReservedAnew = 1024
	maxChangedSets  = 64
)

// ReservedChange is by what reservations differ between two snapshots. It comes to what [Accounts.Reserved] says, of nodes whose
// rows are the same in both, at the cost of what has changed. It is for one goroutine.
type ReservedChange struct {
	accounts *Accounts
	before   *Snapshot
	changes  []reservationChange
	// sets are the candidates of the pods that have come or gone. Nodes that are in the same of them differ by the same, but for
	// those in tied, by slot, on which pods wait for the images that could land nowhere else.
	sets []*candidates
	tied bitset
	// nominated are the nodes that were planned for some pod before.
	nominated map[string]struct{}
	deltas    map[deltaKey]*deltas
	members   []uint64 // scratch space
}

type deltaKey struct {
	kind *kind
	sets uint64
}

// reservationChange is one image's reservation in both snapshots, nil for none.
type reservationChange struct{ before, after *reservation }

// deltas are what changes on nodes that lack all images, as a whole and for each.
type deltas struct {
	sum  sums
	each []delta
}

// delta is what one image adds to nodes that lack it.
type delta struct {
	planned       planned // with no cost
	before, after estimate.Bytes
}

// ReservedSince prepares what has changed in reservations since an earlier snapshot of the same ledger, where the sizes of some
// images were other ones. It is nil where so much has changed that it is better to add up anew.
func (a *Accounts) ReservedSince(before *Snapshot, resized *Resized) *ReservedChange {
	c := &ReservedChange{accounts: a, before: before, deltas: make(map[deltaKey]*deltas), nominated: nominatedBy(before.reservations)}
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
			if resized.has(x[0].hash) {
				return nil
			}
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

// ReservedWithout prepares to take out what is reserved for some images, each of them given once: it is as if no pod that waits
// wanted them. It is nil where it is better to add up anew what is left, by a view that has these images.
func (a *Accounts) ReservedWithout(images []imageref.Image) *ReservedChange {
	c := &ReservedChange{accounts: a, before: a.s, deltas: make(map[deltaKey]*deltas), nominated: a.nominated}
	for i := range images {
		if r := a.s.reservationOf(images[i].Ref); r != nil && !c.add(reservationChange{before: r}) {
			return nil
		}
	}
	return c
}

// add is false where there are too many changes.
func (c *ReservedChange) add(change reservationChange) bool {
	if change.before == change.after && c.sameCandidates(change.after) {
		return true
	}
	c.changes = append(c.changes, change)
	c.join(change.before, c.before)
	c.join(change.after, c.accounts.s)
	return len(c.changes) <= maxReservedAnew && len(c.sets) <= maxChangedSets
}

// sameCandidates is false where nodes have become candidates, or are none any more: how many there are tells how likely each is.
func (c *ReservedChange) sameCandidates(r *reservation) bool {
	for i := range r.wants {
		if slot := r.wants[i].group; c.before.candidates[slot] != c.accounts.s.candidates[slot] {
			return false
		}
	}
	return true
}

func (c *ReservedChange) join(r *reservation, of *Snapshot) {
	if r == nil {
		return
	}
	for i := range r.wants {
		switch set := of.candidates[r.wants[i].group]; {
		case set.possibleCount == 1:
			c.tied.set(set.possible.last(), true)
		case !set.isTied() && !slices.Contains(c.sets, set):
			c.sets = append(c.sets, set)
		}
	}
}

// deltasOf returns what changes on nodes of a kind that are in the same sets.
func (c *ReservedChange) deltasOf(here *accountant, key deltaKey) *deltas {
	all := c.deltas[key]
	if all == nil {
		all = new(deltas)
		for _, change := range c.changes {
			d := delta{before: here.costOf(change.before, c.before, ofRoamingPods), after: here.costOf(change.after, here.s, ofRoamingPods)}
			if d.before == d.after {
				continue
			}
			of := cmp.Or(change.before, change.after)
			d.planned = planned{ref: of.ref, hash: of.hash}
			all.each = append(all.each, d)
			all.sum.take(d.before)
			all.sum.add(d.after)
		}
		c.deltas[key] = all
	}
	return all
}

// costOf is what some pods of a reservation of a snapshot, nil for none, add to a node that lacks the image.
func (a *accountant) costOf(r *reservation, in *Snapshot, of podsOf) estimate.Bytes {
	if r == nil {
		return estimate.Bytes{}
	}
	d := a.demand(r, in, of)
	if !d.any {
		return estimate.Bytes{}
	}
	return a.planned(r, d).cost
}
