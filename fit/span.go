// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fit

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
			spans = append(spans, span{from: i, class: b.class, sums: noSums()})
			last++
		}
		s := &spans[last]
		s.to = i + 1
		s.join(&b.sums)
		s.tier = max(s.tier, b.worstTier(b.nodes))
		s.blind, s.odd = s.blind || b.blind() != 0, s.odd || b.odd != 0
	}
	return spans
}
