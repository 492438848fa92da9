// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fit

import (
	"math/bits"
)

// summing is a tally of a set of nodes under way, in one scenario. A part of a block is counted as a whole where its nodes have one
// verdict, and none of them can be an extreme of anything.
type summing struct {
	*scan

	tally               *tally
	scenario, threshold int
	pastIfHuge          int
	// first are the best of all, of those past the threshold, and of those without a verdict.
	firsts [3]first
}

// add is false where nodes would have to be looked at one by one.
func (s *summing) add(of []uint64) bool {
	tier := 0
	for i, b := range s.blocks {
		set := of[i]
		if set == 0 {
			continue
		}
		s.tally.nodes += bits.OnesCount64(set)
		tier = max(tier, b.worstTier(set))
		known := s.replies(i)
		for k := range known.parts {
			p := &known.parts[k]
			if !p.sound {
				return false
			}
			if p.set&set != 0 {
				s.part(i, p, p.set&set)
			}
		}
	}
	s.tally.tier = tierOf(tier)
	for which, target := range []*ranked{ofAll: &s.tally.best, ofPast: &s.tally.pastBest, ofUnknown: &s.tally.unknownBest} {
		s.crown(&s.firsts[which], target)
	}
	return true
}

func (s *summing) part(i int, p *part, set uint64) {
	b := s.block(i)
	if p.huge {
		s.pastIfHuge += bits.OnesCount64(set &^ b.blind() &^ b.old)
	}
	if blind := set & b.blind(); blind != 0 && !p.nothing {
		for at := range places(blind) {
			s.one(i, at, p, -1)
		}
		set &^= blind
	}
	bounds := &b.bounds
	if alike := set &^ b.claimed &^ b.blind(); alike != 0 && s.whole(b, p, alike, &bounds.least[s.scenario], &bounds.most[s.scenario], b.first) {
		set &^= alike
	}
	for at := range places(set) {
		severity := b.standing(at).keys[s.scenario].severity(&p.loads[s.scenario])
		if p.demand.unsized && s.scenario == likelyScenario && severity < s.warn || s.spares(b, 1<<at, severity) {
			severity = -1
		}
		s.one(i, at, p, severity)
	}
}

// whole counts nodes whose keys are between these, and of which first has the first name. It is false where they have to be counted
// one by one.
func (s *summing) whole(b *block, p *part, set uint64, least, most *keys, first string) bool {
	load := &p.loads[s.scenario]
	severity := least.severity(load)
	if set&b.blind() != 0 || severity != most.severity(load) || s.spares(b, set, severity) || p.demand.unsized && s.scenario == likelyScenario && severity < s.warn {
		return false
	}
	rooms := most.rooms(load)
	if s.firsts[ofAll].beatenBy(severity, rooms[severity]-load.need, first) {
		return false
	}
	nodes := bits.OnesCount64(set)
	if severity < s.threshold {
		s.tally.counts[severity] += nodes
		return true
	}
	if s.firsts[ofPast].beatenBy(severity, rooms[severity]-load.need, first) || load.inodes > least.inodes && severity <= 2 {
		return false
	}
	if s.roomier(&rooms, set&^b.exact != 0) {
		return false
	}
	s.tally.counts[severity] += nodes
	s.tally.addNeed(amount{load.need, p.need.IsExact()}, s.tally.past == 0)
	s.tally.past += nodes
	s.tally.lineless += bits.OnesCount64(set & b.lineless)
	if !p.huge {
		s.pastIfHuge += nodes
	}
	return true
}

// roomier reports whether nodes with as much room as this at the most may have more than those before, or make it less exact.
func (s *summing) roomier(rooms *[6]int64, inexact bool) bool {
	for at := 1; at < len(rooms); at++ {
		if r := &s.tally.rooms[at]; !r.known || rooms[at] > r.bytes || rooms[at] == r.bytes && r.exact && inexact {
			return true
		}
	}
	return false
}

// one counts a node; the severity is negative where it has no verdict.
func (s *summing) one(i, at int, p *part, severity int) {
	b := s.block(i)
	g, k, load := b.ground(at), &b.standing(at).keys[s.scenario], &p.loads[s.scenario]
	rooms := k.rooms(load)
	w := champion{set: true, name: g.name, block: i, at: at, reply: p.reply}
	if severity < 0 {
		w.slack = rooms[len(rooms)-1] - load.need
		s.unknownOne(w, s.why(g))
		return
	}
	w.slack = rooms[severity] - load.need
	s.tally.counts[severity]++
	s.offer(ofAll, severity, w)
	if severity < s.threshold {
		return
	}
	s.offer(ofPast, severity, w)
	s.tally.addNeed(amount{load.need, p.need.IsExact()}, s.tally.past == 0)
	s.tally.past++
	if !p.huge || b.blind()&(1<<at) != 0 {
		s.pastIfHuge++
	}
	for room := 1; room < len(rooms); room++ {
		s.tally.rooms[room].offer(amount{rooms[room], b.standing(at).exact})
	}
	if b.lineless&(1<<at) != 0 {
		s.tally.lineless++
	}
	if severity == 2 && load.need+load.noticed <= k.pressure {
		s.tally.addShort(inodes{free: g.account.InodesFree, total: g.account.Inodes, line: g.account.InodeLine})
	}
}

// spares reports whether a pod is not refused for some of these nodes with that severity, as their samples are old.
func (s *summing) spares(b *block, set uint64, severity int) bool {
	return s.scenario == atBestScenario && set&b.old != 0 && severity >= s.threshold
}

// why is the reason that a node has no verdict, empty where it is an image's.
func (s *summing) why(g *ground) Reason {
	if g.blind == "" && s.scenario == atBestScenario {
		return StaleSample
	}
	return g.blind
}

func (s *summing) unknownOne(w champion, why Reason) {
	s.tally.unknown++
	s.tally.counts[unknownPosition]++
	switch why {
	case StaleSample:
		s.tally.stale++
	case "":
		s.tally.unsized++
	default:
		s.tally.unmeasured++
	}
	s.offer(ofAll, unknownPosition, w)
	s.offer(ofUnknown, unknownPosition, w)
}
