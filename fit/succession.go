// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fit

import (
	"slices"

	"github.com/headroom-dev/headroom/ledger"
)

// succession is one fleet on its way to the next.
type succession struct {
	*surveyor

	fleet *Fleet
	// own are the blocks, by number, that are the new fleet's alone and may be changed.
	own []bool
	// resized are the images of which something else is known, and concerned, by block, the places of nodes to which that may matter.
	resized   ledger.Resized
	concerned []uint64
	// fresh are, by block, the places of which all is new.
	fresh []uint64
	// rows are the places whose row is another one: where a pod could go may have changed.
	rows []int32
}

// succession takes in all that differs in the new snapshot.
func (f *Fleet) succession(v *surveyor, resized ledger.Resized) *succession {
	c := &succession{
		surveyor: v, fleet: v.fleet(), own: make([]bool, len(f.blocks)),
		resized: resized, concerned: make([]uint64, len(f.blocks)), fresh: make([]uint64, len(f.blocks)),
	}
	if !c.resized.None() {
		for i, b := range f.blocks {
			c.concerned[i] = b.sieve.MayHold(&c.resized)
		}
	}
	next := c.fleet
	next.classes, next.blocks, next.moved, next.memo = f.classes, slices.Clone(f.blocks), f.moved, f.memo
	if replaced, same := v.snapshot.ReplacedSince(f.snapshot); same {
		c.follow(f, replaced)
	} else {
		c.merge(f)
	}
	next.waits = f.waits
	reserved := v.snapshot.SameReservations(f.snapshot, &c.resized)
	if !reserved || !c.resized.None() || len(next.classes) != len(f.classes) {
		next.waits = v.waits(next.classes)
	}
	if !c.resized.All() && !reserved {
		c.reserve(v.accounts.ReservedSince(f.snapshot, &c.resized))
	}
	return c
}

// follow takes in the nodes that have other rows, where both snapshots have the same nodes, and those of which other things are new.
func (c *succession) follow(f *Fleet, replaced []ledger.Replaced) {
	next := c.fleet
	next.order = f.order
	moved := false
	for i := range replaced {
		r := &replaced[i]
		before := f.order[r.Place]
		if at := c.update(before, &r.Row); at != before {
			if !moved {
				next.order, moved = slices.Clone(f.order), true
			}
			next.order[r.Place] = at
		}
	}
	for i, b := range f.blocks {
		set := c.concerned[i]
		if c.now.UnixNano() >= b.until {
			set = b.nodes
		}
		for at := range places(set & b.nodes &^ c.fresh[i]) {
			place := placeOf(i, at)
			if g := next.at(place); g != nil && c.outdated(place, g) { // It is nil where the node has moved.
				row := c.snapshot.Row(g.id)
				c.renew(place, c.ground(&row, g))
			}
		}
	}
}

// outdated reports whether a node at a place is to be found out about anew though its row is the same.
func (c *succession) outdated(place int32, g *ground) bool {
	return c.concerned[place>>6]&(1<<(place&63)) != 0 || c.now.UnixNano() >= g.until
}

// merge holds every node of the new snapshot against f: both have them by name.
func (c *succession) merge(f *Fleet) {
	next := c.fleet
	next.order = make([]int32, 0, c.snapshot.Len())
	old := f.order
	for row := range c.snapshot.Nodes() {
		for len(old) > 0 && f.at(old[0]).name < row.Name {
			c.remove(old[0])
			old = old[1:]
		}
		if len(old) > 0 && f.at(old[0]).name == row.Name {
			next.order = append(next.order, c.update(old[0], row))
			old = old[1:]
			continue
		}
		next.order = append(next.order, c.add(c.ground(row, nil)))
	}
	for _, at := range old {
		c.remove(at)
	}
}

// reserve finds out what is reserved on the nodes of which nothing else is new. A nil change is one that is too large to follow.
func (c *succession) reserve(change *ledger.ReservedChange) {
	for i, b := range c.fleet.blocks {
		of := neighboursOf(b, c.fresh[i])
		anew := of.Set
		if change != nil {
			anew = change.Follow(&of)
		}
		for at := range places(anew) {
			of.Reserved[at] = c.reserved(b.ground(at))
		}
		for at := range places(of.Set) {
			if of.Reserved[at] != b.standing(at).reserved {
				c.put(placeOf(i, at), b.ground(at), b.ground(at).standing(of.Reserved[at]))
			}
		}
	}
}

// neighboursOf are the nodes of a block that may have something reserved, but for some.
func neighboursOf(b *block, without uint64) ledger.Neighbours {
	n := ledger.Neighbours{Sieve: &b.sieve}
	for at := range places(b.nodes &^ without) {
		if g := b.ground(at); g.account.Tier != ledger.NoTier {
			n.Set |= 1 << at
			n.Rows[at], n.Reserved[at] = g.id, b.standing(at).reserved
		}
	}
	return n
}

func (f *Fleet) at(place int32) *ground { return f.blocks[place>>6].ground(int(place & 63)) }

// block returns a block that may be changed.
func (c *succession) block(number int32) *block {
	for len(c.own) < len(c.fleet.blocks) {
		c.own, c.fresh = append(c.own, true), append(c.fresh, 0) // A new one is.
	}
	if !c.own[number] {
		c.fleet.blocks[number], c.own[number] = c.fleet.blocks[number].successor(), true
	}
	return c.fleet.blocks[number]
}

func (c *succession) put(place int32, g *ground, st standing) {
	b := c.block(place >> 6)
	b.put(int(place&63), g, st)
}

// renew puts what is new of a node to its place.
func (c *succession) renew(place int32, g *ground) {
	c.put(place, g, g.standing(c.reserved(g)))
	c.fresh[place>>6] |= 1 << (place & 63)
	c.fleet.moved++
}

func (c *succession) remove(place int32) {
	b := c.block(place >> 6)
	b.set(int(place&63), nil, standing{})
	c.rows = append(c.rows, place)
}

func (c *succession) add(g *ground) int32 {
	place := c.fleet.free(c.fleet.classOf(g.key))
	c.renew(place, g)
	c.rows = append(c.rows, place)
	return place
}

// update looks at a node that f has at a place, and returns where it is now.
func (c *succession) update(place int32, row *ledger.NodeRow) int32 {
	before := c.fleet.at(place)
	same := before.id == row.ID() || before.id.IsAccountedAs(row.ID())
	if !same {
		c.rows = append(c.rows, place)
	}
	g := before
	if !same || c.outdated(place, before) {
		g = c.ground(row, before)
	}
	if g.key != before.key {
		c.remove(place)
		return c.add(g)
	}
	switch {
	case g != before:
		c.renew(place, g)
	case g.id != row.ID():
		// What lies there is the same, but nobody need hold the row of before.
		renamed := *g
		renamed.id = row.ID()
		c.put(place, &renamed, *c.fleet.blocks[place>>6].standing(int(place & 63)))
	}
	return place
}

// seal returns the new fleet.
func (c *succession) seal(before *Fleet) *Fleet {
	next := c.fleet
	for i, own := range c.own {
		if own {
			next.blocks[i].seal(c.serials.Add(1))
		}
	}
	next.serials = c.serials
	next.sum()
	next.memo = before.memo.next(next, c.rows, &c.resized)
	next.sizes.Store(c.sizes)
	return next
}
