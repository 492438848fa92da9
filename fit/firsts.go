// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fit

// The firsts.
const (
	ofAll = iota
	ofPast
	ofUnknown
)

// first is the best node so far, with the position of its verdict.
type first struct {
	champion

	position int
}

func (w *first) beatenBy(position int, slack int64, name string) bool {
	if w.set && position != w.position {
		return position < w.position
	}
	return w.champion.beatenBy(slack, name)
}

// unknownPosition is that of Unknown.
const unknownPosition = 6

func (s *summing) offer(which, position int, w champion) {
	if f := &s.firsts[which]; f.beatenBy(position, w.slack, w.name) {
		*f = first{w, position}
	}
}

// crown writes a first into the tally.
func (s *summing) crown(w *first, r *ranked) {
	if w.set {
		result, figures := s.result(s.block(w.block), w.at, w.reply)
		*r = s.ranked(&result, figures, w.reply.demand, w.block, w.at)
	}
}

// ranked is what is ranked of a node in this scenario.
func (s *summing) ranked(result *NodeResult, expected figures, d demand, block, at int) ranked {
	result.Likely = s.audience.ready[block]&(1<<at) != 0
	if s.scenario == atBestScenario {
		return rank(result, result.Optimistic, optimistic(d, &result.Account))
	}
	return rank(result, result.LikelyVerdict, expected)
}
