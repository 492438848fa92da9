// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"math/bits"
)

// Neighbours are up to 64 nodes of one kind: of one runtime and platform, for which the view has the same sizes.
type Neighbours struct {
	// Set are the places of those that are asked about. Each has an account with a tier: without one, nothing is reserved.
	Set  uint64
	Rows [64]RowID
	// Reserved is what is reserved on them.
	Reserved [64]Reserved
	// Sieve holds their rows at their places.
	Sieve *Sieve
}

// Follow brings what is reserved on nodes from the earlier snapshot to the later. It returns the places of those for which it has
// to be added up anew.
func (c *ReservedChange) Follow(n *Neighbours) (anew uint64) {
	anew = c.plannedOf(n) | c.tiedOf(n)
	sets := c.membersOf(n)
	for rest := n.Set &^ anew; rest != 0; {
		first := bits.TrailingZeros64(rest)
		key := deltaKey{}
		alike := rest
		for i, members := range sets {
			if members&(1<<first) != 0 {
				key.sets |= 1 << i
				alike &= members
			} else {
				alike &^= members
			}
		}
		anew |= c.followAlike(n, alike, key)
		rest &^= alike
	}
	return anew
}

// membersOf returns which of the nodes are in each of the sets.
func (c *ReservedChange) membersOf(n *Neighbours) []uint64 {
	c.members = c.members[:0]
	for _, set := range c.sets {
		members := uint64(0)
		for left := n.Set; left != 0; left &= left - 1 {
			if at := bits.TrailingZeros64(left); set.possible.has(n.Rows[at].row.slot) {
				members |= 1 << at
			}
		}
		c.members = append(c.members, members)
	}
	return c.members
}

// followAlike follows on nodes that are in the same sets.
func (c *ReservedChange) followAlike(n *Neighbours, alike uint64, key deltaKey) (anew uint64) {
	row := c.accounts.s.Row(n.Rows[bits.TrailingZeros64(alike)])
	here := accountant{Accounts: c.accounts, node: &row, row: row.row, kind: c.accounts.kindOf(&row)}
	key.kind = here.kind
	all := c.deltasOf(&here, key)
	for i := range all.each {
		d := &all.each[i]
		for left := n.Sieve.mayHold(d.planned.hash) & alike; left != 0; left &= left - 1 {
			at := bits.TrailingZeros64(left)
			here.row = n.Rows[at].row
			if here.underWay(&d.planned) {
				n.Reserved[at].costs.take(d.after)
				n.Reserved[at].costs.add(d.before)
			}
		}
	}
	for left := alike; left != 0; left &= left - 1 {
		at := bits.TrailingZeros64(left)
		costs := &n.Reserved[at].costs
		known := !costs.beyond()
		costs.join(&all.sum)
		if !known || costs.beyond() {
			anew |= 1 << at
		}
	}
	return anew
}

// plannedOf returns which of the nodes were, or are, planned for some pod: what is reserved there follows from their names.
func (c *ReservedChange) plannedOf(n *Neighbours) (planned uint64) {
	if len(c.nominated) == 0 && len(c.accounts.nominated) == 0 {
		return 0
	}
	for left := n.Set; left != 0; left &= left - 1 {
		at := bits.TrailingZeros64(left)
		name := n.Rows[at].row.node.Name
		_, was := c.nominated[name]
		if _, is := c.accounts.nominated[name]; was || is {
			planned |= 1 << at
		}
	}
	return planned
}

// tiedOf returns on which of the nodes pods wait that could land nowhere else, for images of which reservations have changed.
func (c *ReservedChange) tiedOf(n *Neighbours) (tied uint64) {
	if len(c.tied) == 0 {
		return 0
	}
	for left := n.Set; left != 0; left &= left - 1 {
		if at := bits.TrailingZeros64(left); c.tied.has(n.Rows[at].row.slot) {
			tied |= 1 << at
		}
	}
	return tied
}
