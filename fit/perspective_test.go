// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fit

import (
	"fmt"
	"testing"
)

// Blocks are left alone by what their sums say of nobody. So whatever a node is to a pod has to be within what the sums allow, and the
// test has to come upon nodes that are another matter to it. No such node is a reason to look at it on its own.
func TestBlocksAreToPodsWithinWhatTheyMayBe(t *testing.T) {
	others, more, light := 0, 0, 0
	for seed := range uint64(worlds / 30) {
		c := chanceOf(seed + *firstSeed)
		h := c.history(pick(c, 1, 2, 3, 1+c.IntN(20), 1+c.IntN(150)))
		f := NewFleet(h.ledger.Snapshot(), h.policy, h.now)
		for step := range 30 {
			for range h.IntN(4) {
				h.happen()
			}
			f = f.Next(h.ledger.Snapshot(), h.policy, h.now)
			r := h.asked()
			s := new(scan)
			if !s.begin(f, &r, h.now) {
				continue
			}
			s.compare()
			if s.perspective != nil && !f.anyOdd && s.light() {
				if light++; s.apart != nil {
					t.Fatalf("seed %d, step %d: nodes were looked at one by one", seed, step)
				}
			}
			for i, b := range f.blocks {
				n := s.block(i)
				if n == b {
					continue
				}
				others++
				if n.mostRoom(orderedBy) > b.mostRoom(orderedBy) {
					more++
				}
				if err := within(b, n, s.spareOf(b.class)); err != nil {
					t.Fatalf("seed %d, step %d, block %d: %v", seed, step, i, err)
				}
			}
		}
	}
	if others < worlds/2 || more < worlds/10 || light < worlds/100 {
		t.Errorf("%d blocks were others to a pod, %d had more room; %d pods were let through at once", others, more, light)
	}
}

// within compares a block as it is to a pod with what it is to nobody, for whom so much less may likely be available.
func within(b, n *block, spare int64) error {
	join := func(s *sums) bounds {
		all := s.bounds
		all.join(&s.claims)
		return all
	}
	may, is := join(&b.sums), join(&n.sums)
	for scenario, name := range []string{likelyScenario: "likely", atBestScenario: "at best"} {
		most := may.most[scenario]
		if scenario == likelyScenario {
			most = most.with(spare)
		}
		if is.most[scenario] != is.most[scenario].least(&most) {
			return fmt.Errorf("%s, its nodes have up to %+v, which is more than %+v", name, is.most[scenario], most)
		}
		if is.least[scenario] != is.least[scenario].most(&may.least[scenario]) {
			return fmt.Errorf("%s, its nodes have no less than %+v, which is less than %+v", name, is.least[scenario], may.least[scenario])
		}
	}
	if n.odd&^b.odd != 0 || n.blind() != b.blind() || n.old != b.old || n.until != b.until {
		return fmt.Errorf("its nodes are of another kind: odd %b, blind %b, old %b, until %d; to nobody %b, %b, %b, %d", n.odd, n.blind(), n.old, n.until, b.odd, b.blind(), b.old, b.until)
	}
	return nil
}
