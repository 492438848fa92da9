// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fit

import (
	"math/bits"
	"slices"
	"sync/atomic"

	"github.com/headroom-dev/headroom/placement"
)

// audience are the nodes of a fleet that pods with the same constraints and requests could go to, as sets by block. It never
// changes.
type audience struct {
	placement *placement.Constraints
	// hash is what it is remembered by; one that is named is not: each pod of a DaemonSet names another node.
	hash  uint64
	named bool
	// possible and ready are as in survey.
	possible, ready           []uint64
	possibleCount, readyCount int
	// reached memoizes reach.
	reached atomic.Pointer[[]reach]
}

func newAudience(f *Fleet, c *placement.Constraints) *audience {
	a := &audience{placement: c, possible: make([]uint64, len(f.blocks)), ready: make([]uint64, len(f.blocks))}
	if names, named := namedBy(c); named {
		a.named = true
		for name := range names {
			if place, found := f.find(name); found {
				a.judge(f, int(place>>6), int(place&63))
			}
		}
		a.count()
		return a
	}
	for i, b := range f.blocks {
		for at := range places(b.nodes) {
			a.judge(f, i, at)
		}
	}
	a.count()
	return a
}

func namedBy(c *placement.Constraints) (names map[string]struct{}, named bool) {
	if c == nil {
		return nil, false
	}
	return c.Named()
}

// is reports whether it is the audience of pods with these constraints.
func (a *audience) is(c *placement.Constraints) bool {
	if a.placement == c {
		return true
	}
	return a.placement != nil && c != nil && a.placement.Key() == c.Key() && a.placement.Requests().Equal(c.Requests())
}

// next is the audience in another fleet, in which the nodes at these places are others than before.
func (a *audience) next(f *Fleet, changed []int32) *audience {
	if len(changed) == 0 && len(a.possible) == len(f.blocks) {
		return a
	}
	n := &audience{placement: a.placement, hash: a.hash, possible: slices.Clone(a.possible), ready: slices.Clone(a.ready)}
	for len(n.possible) < len(f.blocks) {
		n.possible, n.ready = append(n.possible, 0), append(n.ready, 0)
	}
	for _, place := range changed {
		n.judge(f, int(place>>6), int(place&63))
	}
	n.count()
	return n
}

// judge looks at one place.
func (a *audience) judge(f *Fleet, block, at int) {
	bit := uint64(1) << at
	a.possible[block] &^= bit
	a.ready[block] &^= bit
	g := f.blocks[block].ground(at)
	if g == nil {
		return
	}
	row := f.snapshot.Row(g.id)
	possible, ready := landsOn(&row, a.placement, row.Free(), f.startup)
	if possible {
		a.possible[block] |= bit
	}
	if possible && ready {
		a.ready[block] |= bit
	}
}

func (a *audience) count() {
	for i := range a.possible {
		a.possibleCount += bits.OnesCount64(a.possible[i])
		a.readyCount += bits.OnesCount64(a.ready[i])
	}
}
