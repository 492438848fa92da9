// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fit

import (
	"testing"

	"github.com/headroom-dev/headroom/verdict"
)

// figures draws those of a node near all its lines, so that each is crossed often.
func (c chance) figures() figures {
	f := figures{capacity: 100, available: c.Int64N(100) - 10, reclaimable: c.Int64N(30), inodesFree: c.Int64N(10)}
	if !c.oneIn(4) {
		f.evictionLine = 1 + c.Int64N(30)
		f.evictionTarget = f.evictionLine + c.Int64N(5)
	}
	if !c.oneIn(4) {
		f.gcLine = 1 + c.Int64N(40)
	}
	if c.oneIn(2) {
		f.inodeLine = 1 + c.Int64N(8)
	}
	return f
}

func (c chance) load() load {
	l := load{need: c.Int64N(100) - 5, inodes: c.Int64N(6)}
	if c.oneIn(2) {
		l.peak = c.Int64N(20)
	}
	if c.oneIn(2) {
		l.noticed = l.peak
	}
	return l
}

func TestKeysAreWhatTheVerdictDependsOn(t *testing.T) {
	c := chanceOf(1)
	for range 100_000 {
		f, l := c.figures(), c.load()
		k, sound := keysOf(&f)
		f.need, f.peak, f.noticed, f.inodes = l.need, l.peak, l.noticed, l.inodes
		if got, want := k.severity(&l), f.ofPod().Severity(); got != want || !sound {
			t.Fatalf("%+v: severity %d by the keys %+v, want %d", f, got, k, want)
		}
		for _, v := range verdict.All() {
			if got, want := k.room(v.Severity(), &l), f.room(v); got != want {
				t.Fatalf("%+v: room %d before %s by the keys %+v, want %d", f, got, v, k, want)
			}
		}
	}
}

func TestVerdictsAreBetweenThoseOfTheBounds(t *testing.T) {
	c := chanceOf(2)
	for range 20_000 {
		b, l := noBounds(), c.load()
		var all []keys
		for range 1 + c.IntN(5) {
			f := c.figures()
			k, _ := keysOf(&f)
			all = append(all, k)
			b.add(likelyScenario, &k)
		}
		less := l
		less.need, less.inodes = less.need-c.Int64N(5), less.inodes-c.Int64N(2)
		for _, k := range all {
			severity := k.severity(&l)
			if severity > b.atWorst(likelyScenario, &l) || severity < b.atBest(likelyScenario, &l) {
				t.Fatalf("%+v: severity %d is not between %d and %d", k, severity, b.atBest(likelyScenario, &l), b.atWorst(likelyScenario, &l))
			}
			if k.severity(&less) > severity {
				t.Fatalf("%+v: a smaller load %+v is worse than %+v", k, less, l)
			}
			for v := range 6 {
				if k.room(v, &l) > b.most[likelyScenario].room(v, &l) {
					t.Fatalf("%+v: more room before %d than by the bounds", k, v)
				}
			}
		}
	}
}
