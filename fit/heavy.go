// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fit

import (
	"github.com/headroom-dev/headroom/policy"
)

// heavy finds out about any pod, of which it is known whether it can't be refused, and is false where nodes would have to be looked at one by one.
func (c *scan) heavy(open bool) (*survey, bool) {
	if c.nanos >= c.until || c.anyOdd || len(c.policy.Exceptions) > 0 || c.deny <= 0 || c.warn <= 0 {
		return nil, false
	}
	images := c.question.images
	v := &survey{
		snapshot: c.snapshot, policy: c.policy, request: &c.request, images: images, sizes: c.question.sizes,
		pools: make(map[*policy.NodePool]*pool), platforms: make(map[Platform]bool),
		unsized: make([]bool, len(images)), waitFor: make([]bool, len(images)), missing: make([]bool, len(images)),
		autoscaled: &c.autoscaled, inhabited: c.inhabited, widest: c.widest,
	}
	v.begin()
	v.possible.nodes, v.ready.nodes = c.audience.possibleCount, c.audience.readyCount
	if open {
		v.huge = &never
	} else {
		v.possible.nodes = 0
		s := summing{scan: c, tally: &v.possible, scenario: atBestScenario, threshold: c.deny}
		if !s.add(c.audience.possible) {
			return nil, false
		}
		v.pastIfHuge = s.pastIfHuge
	}
	t := v.scope()
	t.nodes = 0
	s := summing{scan: c, tally: t, scenario: likelyScenario, threshold: c.warn}
	if !s.add(c.scope()) {
		return nil, false
	}
	c.marks(v)
	c.pools(v)
	return v, true
}

// marks finds out which images nodes may lack that nobody told the size of.
func (c *scan) marks(v *survey) {
	for i := range c.blocks {
		set := c.audience.possible[i]
		if set == 0 || c.question.most[c.blocks[i].class].plain {
			continue
		}
		known := c.replies(i)
		for k := range known.parts {
			p := &known.parts[k]
			if p.set&set == 0 {
				continue
			}
			mark(v.unsized, p.unsized)
			mark(v.waitFor, p.waitFor)
			if p.waitFor != 0 {
				v.platforms[c.classes[c.blocks[i].class].platform] = true
			}
		}
	}
}

// pools finds out what empty nodes of the pools of possible nodes could hold.
func (c *scan) pools(v *survey) {
	reach := c.audience.reach(c.Fleet)
	for i, b := range c.blocks {
		set := c.audience.possible[i]
		if set == 0 {
			continue
		}
		key := c.classes[b.class]
		p := v.pools[key.pool]
		if p == nil {
			p = &pool{need: unbounded, needIfHuge: unbounded, reachable: reach[b.class].reachable, covers: reach[b.class].covers}
			v.pools[key.pool] = p
		}
		p.reachable, p.covers = p.reachable || reach[b.class].reachable, p.covers || reach[b.class].covers
		p.add(v.sizes.classes[key])
		if room, known := b.widest(set); known {
			p.widenTo(room)
		}
	}
}

// widest returns what the largest known disk of some nodes holds.
func (b *block) widest(set uint64) (room int64, known bool) {
	if set &^= b.blind() | b.odd; set == 0 {
		return 0, false
	}
	if set == b.nodes&^(b.blind()|b.odd) {
		return max(b.bounds.most[atBestScenario].empty, b.claims.most[atBestScenario].empty), true
	}
	room = -endless
	for at := range places(set) {
		room = max(room, b.standing(at).keys[atBestScenario].empty)
	}
	return room, true
}
