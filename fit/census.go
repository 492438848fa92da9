// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fit

import "math/bits"

// census is how many nodes have each likely verdict.
type census struct {
	nodes, tier int
	severities  [6]int
	// stale, unmeasured and unsized are of those without one.
	stale, unmeasured, unsized int
	unsizedImages              uint32
}

// mildest returns the least severity that some node has, -1 where none has any.
func (n *census) mildest() int {
	for severity, nodes := range n.severities {
		if nodes > 0 {
			return severity
		}
	}
	return -1
}

// past counts the nodes past a threshold, which is none where it is negative.
func (n *census) past(threshold int) int {
	past := 0
	for severity := max(threshold, 0); threshold >= 0 && severity < len(n.severities); severity++ {
		past += n.severities[severity]
	}
	return past
}

// tell writes the counts into a tally.
func (n *census) tell(t *tally, threshold int) {
	t.nodes, t.past, t.tier = n.nodes, n.past(threshold), tierOf(n.tier)
	t.stale, t.unmeasured, t.unsized = n.stale, n.unmeasured, n.unsized
	t.unknown = n.stale + n.unmeasured + n.unsized
	copy(t.counts[:], n.severities[:])
	t.counts[len(t.counts)-1] = t.unknown
}

// add counts nodes by their severity. Where the need is not known as a whole, there is no verdict below warnAt.
func (n *census) add(severity, nodes int, unsized bool, warn int) {
	if unsized && (warn < 0 || severity < warn) {
		n.unsized += nodes
		return
	}
	n.severities[severity] += nodes
}

func (n *census) addResult(r *NodeResult) {
	switch {
	case r.LikelyVerdict.Severity() >= 0:
		n.severities[r.LikelyVerdict.Severity()]++
	case r.Why == StaleSample:
		n.stale++
	case r.Why == UnknownSize:
		n.unsized++
	default:
		n.unmeasured++
	}
}

// count counts the nodes of a set by their likely verdicts. It is not sure where it is not known of all possible nodes which images
// without a size they lack.
func (c *scan) count(of []uint64) (n census, sure bool) {
	sure = true
	for i := range c.spans {
		s := &c.spans[i]
		m := &c.question.most[s.class]
		settled := m.plain && !s.blind && !s.odd && c.nanos < s.until && s.harmless(likelyScenario, &m.loads[likelyScenario])
		for k := s.from; k < s.to; k++ {
			nodes := bits.OnesCount64(of[k])
			n.nodes += nodes
			if s.tier > n.tier {
				n.tier = max(n.tier, c.blocks[k].worstTier(of[k]))
			}
			if settled {
				n.severities[0] += nodes
			} else {
				sure = c.countBlock(&n, k, of[k], m) && sure
			}
		}
	}
	return n, sure
}

func (c *scan) countBlock(n *census, i int, set uint64, m *most) (sure bool) {
	b, marked := c.blocks[i], set
	if !m.plain {
		marked = c.audience.possible[i]
	}
	if marked == 0 {
		return true
	}
	odd := c.odd(b)
	if !m.plain && odd&marked != 0 {
		return false
	}
	if m.plain && set&(b.blind()|odd) == 0 && b.harmless(likelyScenario, &m.loads[likelyScenario]) {
		n.severities[0] += bits.OnesCount64(set)
		return true
	}
	b = c.block(i)
	odd = c.odd(b)
	for at := range places(set & odd) {
		result, _, _ := c.look(b, at)
		n.tier = max(n.tier, tierRank(result.Account.Tier))
		n.addResult(&result)
	}
	known := c.replies(i)
	for k := range known.parts {
		p := &known.parts[k]
		if p.set&marked != 0 {
			n.unsizedImages |= p.unsized
		}
		if of := p.set & set &^ odd; of != 0 {
			c.countPart(n, b, p, of)
		}
	}
	return true
}

func (c *scan) countPart(n *census, b *block, p *part, set uint64) {
	if p.nothing {
		n.severities[0] += bits.OnesCount64(set)
		return
	}
	n.stale += bits.OnesCount64(set & b.stale)
	n.unmeasured += bits.OnesCount64(set & b.unmeasured)
	set &^= b.blind()
	load, unsized := &p.loads[likelyScenario], p.demand.unsized
	if alike := set &^ b.claimed; p.sound && alike != 0 {
		if worst := b.bounds.atWorst(likelyScenario, load); worst == b.bounds.atBest(likelyScenario, load) {
			n.add(worst, bits.OnesCount64(alike), unsized, c.warn)
			set &^= alike
		}
	}
	for at := range places(set) {
		if p.sound {
			n.add(b.standing(at).keys[likelyScenario].severity(load), 1, unsized, c.warn)
			continue
		}
		result, _, _ := c.look(b, at)
		n.addResult(&result)
	}
}
