// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fit

import (
	"iter"
	"math"
	"math/bits"

	"github.com/headroom-dev/headroom/ledger"
)

// block is up to 64 nodes of one class, so that a set of them is a word. It never changes.
type block struct {
	serial    uint64 // as of grounds
	class     int
	grounds   [64]*ground
	standings [64]standing
	sieve     ledger.Sieve
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

// put puts a node to a place. Seal comes after it.
func (b *block) put(at int, g *ground, s standing) {
	var before ledger.RowID
	if was := b.grounds[at]; was != nil {
		before = was.id
	}
	b.sieve.Put(at, before, g.id)
	b.grounds[at], b.standings[at] = g, s
	b.nodes |= 1 << at
}

// blind are the nodes without a verdict.
func (b *block) blind() uint64 { return b.stale | b.unmeasured }

// seal works out what follows from the nodes.
func (b *block) seal(serial uint64) {
	*b = block{
		serial: serial, class: b.class, grounds: b.grounds, standings: b.standings, sieve: b.sieve,
		sums: sums{bounds: noBounds(), claims: noBounds(), until: math.MaxInt64},
	}
	for i, g := range b.grounds {
		if g != nil {
			b.take(uint64(1)<<i, g, &b.standings[i])
		}
	}
}

func (b *block) take(bit uint64, g *ground, s *standing) {
	b.nodes |= bit
	b.tiers[tierRank(g.account.Tier)] |= bit
	b.until, b.autoscaled = min(b.until, g.until), b.autoscaled || g.autoscaled
	if b.first == "" || g.name < b.first {
		b.first = g.name
	}
	if g.account.EvictionLineBytes <= 0 {
		b.lineless |= bit
	}
	if g.account.Old {
		b.old |= bit
	}
	if s.exact {
		b.exact |= bit
	}
	if g.claimed {
		b.claimed |= bit
	}
	switch {
	case !s.sound:
		b.odd |= bit
	case g.blind == StaleSample:
		b.stale |= bit
	case g.blind != "":
		b.unmeasured |= bit
	case g.claimed:
		b.claims.add(likelyScenario, &s.keys[likelyScenario])
		b.claims.add(atBestScenario, &s.keys[likelyScenario])
		b.claims.add(atBestScenario, &s.keys[atBestScenario])
		if g.gains {
			b.claims.add(likelyScenario, &s.keys[atBestScenario])
		}
	default:
		for scenario := range b.bounds.least {
			b.bounds.add(scenario, &s.keys[scenario])
		}
	}
}

// worstTier returns the worst tier of a set of nodes, by tierRank.
func (b *block) worstTier(set uint64) int {
	for rank := len(b.tiers) - 1; rank > 0; rank-- {
		if b.tiers[rank]&set != 0 {
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

// spanBlocks is of how many blocks a span has the sums.
const spanBlocks = 8

// span is neighbouring blocks of one class.
type span struct {
	from, to, class int
	sums
	// blind and odd are set where some node is.
	blind, odd bool
	tier       int // the worst, by tierRank
}

// spansOf sums up blocks.
func spansOf(blocks []*block) []span {
	var spans []span
	for i, b := range blocks {
		last := len(spans) - 1
		if last < 0 || spans[last].class != b.class || spans[last].to-spans[last].from == spanBlocks {
			spans = append(spans, span{from: i, class: b.class, sums: sums{bounds: noBounds(), claims: noBounds(), until: math.MaxInt64}})
			last++
		}
		s := &spans[last]
		s.to = i + 1
		s.bounds.join(&b.bounds)
		s.claims.join(&b.claims)
		s.until, s.tier = min(s.until, b.until), max(s.tier, b.worstTier(b.nodes))
		s.blind, s.odd = s.blind || b.blind() != 0, s.odd || b.odd != 0
		if s.first == "" || b.first != "" && b.first < s.first {
			s.first = b.first
		}
	}
	return spans
}

// harmless reports whether nothing happens on any of the nodes with that load.
func (s *sums) harmless(scenario int, l *load) bool {
	return s.worst(scenario, l) == 0
}
