// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fit

import (
	"flag"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/ledger"
	"github.com/headroom-dev/headroom/policy"
)

// disagreement is what a fleet decides differently from the plain look at all nodes, "" for nothing.
func disagreement(f *Fleet, s *ledger.Snapshot, r Request, p *policy.Policy, now time.Time) (Decision, string) {
	want, got := Evaluate(s, r, p, now), f.Evaluate(r, now)
	if reflect.DeepEqual(want, got) {
		return want, ""
	}
	return want, "different\n" + cmp.Diff(want, got, cmpopts.EquateComparable(imageref.Ref{}))
}

// firstSeed makes other worlds: what one run is too short for, many add up to.
var firstSeed = flag.Uint64("first-seed", 0, "where the seeds of the fleets' worlds start")

func TestFleetDecidesAsThePlainLook(t *testing.T) {
	seen := map[Action]int{}
	for seed := *firstSeed; seed < *firstSeed+uint64(worlds); seed++ {
		c := chanceOf(seed)
		l, p := c.ledger(c.nodes()), c.policy()
		s := l.Snapshot()
		f := NewFleet(s, p, epoch)
		for i := range 4 {
			r, _ := c.request()
			if c.oneIn(2) {
				r.Namespace = "elsewhere"
			}
			now := epoch
			if i%2 == 1 {
				now = now.Add(time.Duration(c.Int64N(int64(4 * time.Minute))))
			}
			if c.oneIn(2) {
				f.Evaluate(r, epoch) // A precedent for what comes.
			}
			d, diff := disagreement(f, s, r, p, now)
			if diff != "" {
				t.Fatalf("seed %d, request %d: the fleet decides differently (-plain +fleet):\n%s", seed, i, diff)
			}
			seen[d.Action]++
		}
	}
	for _, action := range []Action{Allow, Warn, Deny} {
		if seen[action] < worlds/50 {
			t.Errorf("only %d decisions to %s", seen[action], action)
		}
	}
}

// A fleet that follows a ledger step by step decides as one that is made anew, and as the plain look: also where it takes in later
// which pods wait, or another one that came after the same goes on in its place.
func TestFleetFollowsTheLedger(t *testing.T) {
	seen, late := map[Action]int{}, 0
	for seed := *firstSeed; seed < *firstSeed+uint64(worlds/30); seed++ {
		c := chanceOf(seed)
		h := c.history(pick(c, 1, 2, 3, 1+c.IntN(20), 1+c.IntN(150)))
		f, other := NewFleet(h.ledger.Snapshot(), h.policy, h.now), (*Fleet)(nil)
		for step := range 30 {
			for range h.IntN(4) {
				h.happen()
			}
			s := h.ledger.Snapshot()
			switch {
			case other != nil && h.oneIn(3):
				f, other = other, nil
			case other == nil && h.oneIn(3):
				other = f.Next(s, h.policy, h.now)
			}
			if earlier, able := s.WaitingAsIn(f.snapshot); able && h.oneIn(2) {
				s = earlier
				late++
			}
			f = f.Next(s, h.policy, h.now)
			if f.until <= h.now.UnixNano() {
				t.Fatalf("seed %d, step %d: what was known of some node does not hold any more, and nobody has looked at it anew", seed, step)
			}
			v := newSurveyor(s, h.policy, h.now, f.serials)
			if diff := cmp.Diff(v.waits(f.classes), f.waits, cmp.AllowUnexported(waits{})); diff != "" {
				t.Fatalf("seed %d, step %d: what waits in each namespace (-made anew +fleet):\n%s", seed, step, diff)
			}
			r := h.asked()
			now := h.now.Add(time.Duration(h.IntN(2)) * time.Duration(h.Int64N(int64(2*time.Minute))))
			if h.oneIn(2) {
				f.Evaluate(r, h.now)
			}
			d, diff := disagreement(f, s, r, h.policy, now)
			if diff == "" && h.oneIn(10) {
				_, diff = disagreement(NewFleet(s, h.policy, h.now), s, r, h.policy, now)
			}
			if diff != "" {
				t.Fatalf("seed %d, step %d: the fleet decides differently (-plain +fleet):\n%s", seed, step, diff)
			}
			seen[d.Action]++
		}
	}
	if late < worlds/10 {
		t.Errorf("only %d steps with pods that wait as they were before", late)
	}
	for _, action := range []Action{Allow, Warn, Deny} {
		if seen[action] < worlds/200 {
			t.Errorf("only %d decisions to %s", seen[action], action)
		}
	}
}
