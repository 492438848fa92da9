// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fit

import (
	"iter"
	"math"
	"math/bits"

	"github.com/headroom-dev/headroom/ledger"
)

// block is up to 64 nodes of one class, so that a set of them is a word. It never changes once it is sealed.
type block struct {
	serial uint64 // as of grounds
	class  int
	// octets are nil where no node has been. Own are those that nobody else has, one bit for each: they may be changed.
	octets [64 / octetPlaces]*octet
	own    uint8
	sieve  ledger.Sieve
	summary
}

// octet is eight of a block's places. It is made anew where one of its nodes has changed, and the others stay.
type octet struct {
	grounds   [octetPlaces]*ground
	standings [octetPlaces]standing
	summary
}

const octetPlaces = 8

// summary is what is known of several nodes of a block.
type summary struct {
	// nodes are the places that are taken. Of these, odd are those whose figures are too large for keys, stale and unmeasured those
	// of which nobody knows enough, old those with an old sample, and claimed, lineless and exact are as of one node.
	nodes, odd, stale, unmeasured, old, claimed, lineless, exact uint64
	// tiers are the nodes of each tier, by tierRank.
	tiers [4]uint64
	// autoscaled is as of a node, set where it is for some.
	autoscaled bool
	sums
}

// sums are what several nodes have in common.
type sums struct {
	// bounds are those of nodes that can be judged alike, claims those of claimed nodes.
	bounds, claims bounds
	// until is the least moment from which on a ground may not hold, first the first of the names.
	until int64
	first string
}

func noSums() sums { return sums{bounds: noBounds(), claims: noBounds(), until: math.MaxInt64} }

func (s *sums) join(o *sums) {
	s.bounds.join(&o.bounds)
	s.claims.join(&o.claims)
	s.until = min(s.until, o.until)
	if s.first == "" || o.first != "" && o.first < s.first {
		s.first = o.first
	}
}

// ground returns what is known of the node at a place, nil where there is none.
func (b *block) ground(at int) *ground {
	if o := b.octets[at/octetPlaces]; o != nil {
		return o.grounds[at%octetPlaces]
	}
	return nil
}

// standing returns that of a node that is there.
func (b *block) standing(at int) *standing {
	return &b.octets[at/octetPlaces].standings[at%octetPlaces]
}

// successor is a block that may be changed, and has nothing of its own yet.
func (b *block) successor() *block {
	n := *b
	n.own, n.sieve = 0, b.sieve.Shared()
	return &n
}

// put puts a node to a place. Seal comes after it.
func (b *block) put(at int, g *ground, s standing) {
	var before ledger.RowID
	if was := b.ground(at); was != nil {
		before = was.id
	}
	b.sieve.Put(at, before, g.id)
	b.set(at, g, s)
}

// set is put without the sieve: for a node whose row is the same, and for none, which is nil.
func (b *block) set(at int, g *ground, s standing) {
	number := at / octetPlaces
	o := b.octets[number]
	if b.own&(1<<number) == 0 {
		own := new(octet)
		if o != nil {
			*own = *o
		}
		b.octets[number], o = own, own
		b.own |= 1 << number
	}
	o.grounds[at%octetPlaces], o.standings[at%octetPlaces] = g, s
	b.nodes &^= 1 << at
	if g != nil {
		b.nodes |= 1 << at
	}
}

// seal works out what follows from the nodes.
func (b *block) seal(serial uint64) {
	b.serial, b.summary = serial, summary{sums: noSums()}
	for number, o := range b.octets {
		if o == nil {
			continue
		}
		if b.own&(1<<number) != 0 {
			o.seal(number * octetPlaces)
		}
		b.join(&o.summary)
	}
}

// blind are the nodes without a verdict.
func (s *summary) blind() uint64 { return s.stale | s.unmeasured }

func (o *octet) seal(first int) {
	o.summary = summary{sums: noSums()}
	for i, g := range o.grounds {
		if g != nil {
			o.take(uint64(1)<<(first+i), g, &o.standings[i])
		}
	}
}

func (s *summary) join(o *summary) {
	s.nodes, s.odd, s.stale, s.unmeasured = s.nodes|o.nodes, s.odd|o.odd, s.stale|o.stale, s.unmeasured|o.unmeasured
	s.old, s.claimed, s.lineless, s.exact = s.old|o.old, s.claimed|o.claimed, s.lineless|o.lineless, s.exact|o.exact
	for rank := range s.tiers {
		s.tiers[rank] |= o.tiers[rank]
	}
	s.autoscaled = s.autoscaled || o.autoscaled
	s.sums.join(&o.sums)
}

func (s *summary) take(bit uint64, g *ground, st *standing) {
	s.nodes |= bit
	s.tiers[tierRank(g.account.Tier)] |= bit
	s.until, s.autoscaled = min(s.until, g.until), s.autoscaled || g.autoscaled
	if s.first == "" || g.name < s.first {
		s.first = g.name
	}
	if g.account.EvictionLineBytes <= 0 {
		s.lineless |= bit
	}
	if g.account.Old {
		s.old |= bit
	}
	if st.exact {
		s.exact |= bit
	}
	if g.claimed {
		s.claimed |= bit
	}
	switch {
	case !st.sound:
		s.odd |= bit
	case g.blind == StaleSample:
		s.stale |= bit
	case g.blind != "":
		s.unmeasured |= bit
	case g.claimed:
		s.claims.add(likelyScenario, &st.keys[likelyScenario])
		s.claims.add(atBestScenario, &st.keys[likelyScenario])
		s.claims.add(atBestScenario, &st.keys[atBestScenario])
		if g.gains {
			s.claims.add(likelyScenario, &st.keys[atBestScenario])
		}
	default:
		for scenario := range s.bounds.least {
			s.bounds.add(scenario, &st.keys[scenario])
		}
	}
}

// worstTier returns the worst tier of a set of nodes, by tierRank.
func (s *summary) worstTier(set uint64) int {
	for rank := len(s.tiers) - 1; rank > 0; rank-- {
		if s.tiers[rank]&set != 0 {
			return rank
		}
	}
	return 0
}

// tierOf is the inverse of tierRank.
func tierOf(rank int) ledger.Tier {
	return [...]ledger.Tier{ledger.Measured, ledger.Declared, ledger.Assumed, ledger.NoTier}[rank]
}

// places are those of a set of nodes of a block.
func places(set uint64) iter.Seq[int] {
	return func(yield func(int) bool) {
		for ; set != 0; set &= set - 1 {
			if !yield(bits.TrailingZeros64(set)) {
				return
			}
		}
	}
}
