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
	// reservedAnew is set where what waits has changed, and waiting is how, if it is quicker to tell; sized is set where what is
	// known of sizes has changed.
	reservedAnew, sized bool
	waiting             *ledger.ReservedChange
	// rows are the places whose row is another one: where a pod could go may have changed.
	rows []int32
}

// succession holds every node of the new snapshot against f: both have them by name.
func (f *Fleet) succession(v *surveyor) *succession {
	c := &succession{
		surveyor: v, fleet: v.fleet(), own: make([]bool, len(f.blocks)),
		reservedAnew: !v.snapshot.SameReservations(f.snapshot), sized: !v.snapshot.SameSizes(f.snapshot),
	}
	if c.reservedAnew && !c.sized {
		c.waiting = v.accounts.ReservedSince(f.snapshot)
	}
	next := c.fleet
	next.classes, next.blocks, next.moved, next.memo = f.classes, slices.Clone(f.blocks), f.moved, f.memo
	next.order = make([]int32, 0, v.snapshot.Len())
	old := f.order
	for row := range v.snapshot.Nodes() {
		for len(old) > 0 && f.at(old[0]).name < row.Name {
			c.remove(old[0])
			old = old[1:]
		}
		if len(old) > 0 && f.at(old[0]).name == row.Name {
			next.order = append(next.order, c.update(old[0], row))
			old = old[1:]
			continue
		}
		next.order = append(next.order, c.add(v.ground(row)))
	}
	for _, at := range old {
		c.remove(at)
	}
	return c
}

func (f *Fleet) at(place int32) *ground { return f.blocks[place>>6].grounds[place&63] }

// block returns a block that may be changed.
func (c *succession) block(number int32) *block {
	for len(c.own) < len(c.fleet.blocks) {
		c.own = append(c.own, true) // A new one is.
	}
	if !c.own[number] {
		c.fleet.blocks[number] = new(*c.fleet.blocks[number])
		c.own[number] = true
	}
	return c.fleet.blocks[number]
}

func (c *succession) put(place int32, g *ground, st standing) {
	b := c.block(place >> 6)
	b.grounds[place&63], b.standings[place&63] = g, st
	b.nodes |= 1 << (place & 63)
}

func (c *succession) remove(place int32) {
	b := c.block(place >> 6)
	b.grounds[place&63], b.standings[place&63] = nil, standing{}
	b.nodes &^= 1 << (place & 63)
	c.rows = append(c.rows, place)
}

func (c *succession) add(g *ground) int32 {
	place := c.fleet.free(c.fleet.classOf(g.key))
	c.put(place, g, g.standing(c.reserved(g)))
	c.fleet.moved++
	c.rows = append(c.rows, place)
	return place
}

// update looks at a node that f has at a place, and returns where it is now.
func (c *succession) update(place int32, row *ledger.NodeRow) int32 {
	before := c.fleet.at(place)
	same := before.id == row.ID()
	if !same {
		c.rows = append(c.rows, place)
	}
	g := before
	if !same || c.sized || c.now.UnixNano() >= before.until {
		g = c.ground(row)
	}
	if g.key != before.key {
		c.remove(place)
		return c.add(g)
	}
	if g == before && !c.reservedAnew {
		return place
	}
	if g != before {
		c.put(place, g, g.standing(c.reserved(g)))
		c.fleet.moved++
		return place
	}
	was := &c.fleet.blocks[place>>6].standings[place&63]
	if reserved := c.reservedSince(g, row, was.reserved); reserved != was.reserved {
		c.put(place, g, g.standing(reserved))
	}
	return place
}

// reservedSince is what is reserved on a node that has not changed.
func (c *succession) reservedSince(g *ground, row *ledger.NodeRow, before ledger.Reserved) ledger.Reserved {
	if g.account.Tier == ledger.NoTier {
		return before
	}
	if c.waiting != nil {
		if reserved, known := c.waiting.Of(row, before); known {
			return reserved
		}
	}
	return c.reserved(g)
}

// seal returns the new fleet.
func (c *succession) seal(before *Fleet) *Fleet {
	next := c.fleet
	for i, own := range c.own {
		if own {
			c.serial++
			next.blocks[i].seal(c.serial)
		}
	}
	next.serial = c.serial
	next.sum(c.surveyor)
	next.memo = before.memo.next(next, c.rows, c.sized)
	return next
}
