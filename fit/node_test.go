// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fit

import (
	"math"
	"testing"

	"github.com/headroom-dev/headroom/estimate"
	"github.com/headroom-dev/headroom/ledger"
	"github.com/headroom-dev/headroom/policy"
	"github.com/headroom-dev/headroom/verdict"
)

// diskOf is a disk whose eviction line has no minimum reclaim, with images that take no more while they are pulled.
func diskOf(need, available, reclaimable, capacity, gcLine, evictionLine int64) figures {
	return figures{
		need: need, available: available, reclaimable: reclaimable,
		capacity: capacity, gcLine: gcLine, evictionLine: evictionLine, evictionTarget: evictionLine,
	}
}

// One byte on either side of every line of a disk of 1000 bytes that has its lines at 160 and 150.
func TestVerdictBoundaries(t *testing.T) {
	disk := func(need, available, reclaimable int64) figures {
		return diskOf(need, available, reclaimable, 1000, 160, 150)
	}
	for what, c := range map[string]struct {
		figures figures
		want    verdict.Verdict
	}{
		"exactly at the GC line is still above it":          {disk(340, 500, 0), verdict.Fits},
		"one byte below the GC line":                        {disk(341, 500, 0), verdict.TriggersGC},
		"exactly at the eviction line":                      {disk(350, 500, 0), verdict.TriggersGC},
		"one byte below, one to reclaim":                    {disk(351, 500, 1), verdict.PressuresDisk},
		"one byte below, none to reclaim":                   {disk(351, 500, 0), verdict.EvictsPods},
		"reclaim reaches the line exactly":                  {disk(450, 500, 100), verdict.PressuresDisk},
		"reclaim misses the line by one byte":               {disk(451, 500, 100), verdict.EvictsPods},
		"one byte left":                                     {disk(499, 500, 0), verdict.EvictsPods},
		"nothing left":                                      {disk(500, 500, 0), verdict.FillsDisk},
		"one byte left after reclaim":                       {disk(599, 500, 100), verdict.EvictsPods},
		"nothing left after reclaim":                        {disk(600, 500, 100), verdict.FillsDisk},
		"as much as an empty disk holds":                    {disk(850, 1000, 0), verdict.TriggersGC},
		"one byte more than an empty disk holds":            {disk(851, 1000, 0), verdict.NeverFits},
		"more than an empty disk holds beats a full disk":   {disk(851, 0, 0), verdict.NeverFits},
		"no need on a full disk is not never":               {disk(0, 0, 0), verdict.FillsDisk},
		"no need on a node below its eviction line":         {disk(0, 149, 0), verdict.EvictsPods},
		"an account that is overdrawn":                      {disk(1, -10, 5), verdict.FillsDisk},
		"no lines, one byte left":                           {diskOf(999, 1000, 0, 1000, 0, 0), verdict.Fits},
		"no lines, everything taken":                        {diskOf(1000, 1000, 0, 1000, 0, 0), verdict.FillsDisk},
		"no eviction line, at the GC line":                  {diskOf(340, 500, 0, 1000, 160, 0), verdict.Fits},
		"no eviction line, one byte below the GC line":      {diskOf(341, 500, 0, 1000, 160, 0), verdict.TriggersGC},
		"no eviction line, one byte left":                   {diskOf(499, 500, 0, 1000, 160, 0), verdict.TriggersGC},
		"no eviction line, nothing left":                    {diskOf(500, 500, 0, 1000, 160, 0), verdict.FillsDisk},
		"no eviction line, less than nothing left":          {diskOf(501, 500, 0, 1000, 160, 0), verdict.FillsDisk},
		"no eviction line, one byte left after a GC":        {diskOf(599, 500, 100, 1000, 160, 0), verdict.TriggersGC},
		"no eviction line, nothing left after a GC":         {diskOf(600, 500, 100, 1000, 160, 0), verdict.FillsDisk},
		"no lines, one byte too many on a full disk":        {diskOf(1, 0, 0, 1000, 0, 0), verdict.FillsDisk},
		"no lines, more than the disk":                      {diskOf(1001, 2000, 0, 1000, 0, 0), verdict.NeverFits},
		"eviction line above the GC line":                   {diskOf(10, 205, 0, 1000, 100, 200), verdict.EvictsPods},
		"eviction line above the GC line, above both":       {diskOf(5, 205, 0, 1000, 100, 200), verdict.Fits},
		"eviction line larger than the disk":                {diskOf(1, 900, 0, 1000, 100, 2000), verdict.NeverFits},
		"a need past all counting":                          {diskOf(math.MaxInt64, 500, 0, 1000, 160, 150), verdict.NeverFits},
		"a debt past all counting":                          {diskOf(1, math.MinInt64, 0, 1000, 160, 150), verdict.FillsDisk},
		"room past all counting":                            {diskOf(1, math.MaxInt64, math.MaxInt64, math.MaxInt64, 160, 150), verdict.Fits},
		"need and room past all counting":                   {diskOf(math.MaxInt64, math.MaxInt64, 0, math.MaxInt64, 0, 0), verdict.FillsDisk},
		"all but one byte past all counting":                {diskOf(math.MaxInt64-1, math.MaxInt64, 0, math.MaxInt64, 0, 0), verdict.Fits},
		"need past all counting, disk one line short of it": {diskOf(math.MaxInt64, math.MaxInt64, 0, math.MaxInt64, 0, 1), verdict.NeverFits},
	} {
		t.Run(what, func(t *testing.T) {
			if got := c.figures.verdict(); got != c.want {
				t.Errorf("%+v: got %s, want %s", c.figures, got, c.want)
			}
		})
	}
}

// The room before a verdict is what may be needed without it, and one byte more is too much.
func TestRoomIsTheLargestNeedWithoutTheVerdict(t *testing.T) {
	with := func(f figures, change func(*figures)) figures { change(&f); return f }
	base := diskOf(0, 500, 100, 1000, 160, 150)
	for _, f := range []figures{
		diskOf(0, 500, 100, 1000, 160, 0),
		diskOf(0, 500, 0, 1000, 0, 0),
		with(base, func(f *figures) { f.evictionTarget = 200 }),
		with(base, func(f *figures) { f.evictionTarget = 300 }),
		with(base, func(f *figures) { f.peak = 70 }),
		with(base, func(f *figures) { f.peak, f.noticed = 70, 70 }),
		with(base, func(f *figures) { f.peak = 400 }),
		with(base, func(f *figures) { f.peak, f.noticed, f.evictionTarget = 400, 400, 170 }),
		with(diskOf(0, 500, 100, 1000, 160, 0), func(f *figures) { f.peak = 70 }),
		with(base, func(f *figures) { f.inodesFree, f.inodeLine = 4, 5 }),
		with(base, func(f *figures) { f.inodesFree, f.inodeLine, f.inodes = 9, 5, 5 }),
		diskOf(0, 500, 0, 1000, 160, 150),
		diskOf(0, 500, 100, 1000, 160, 150),
		diskOf(0, 900, 100, 1000, 160, 150),
		diskOf(0, 500, 0, 1000, 0, 150),
		diskOf(0, 500, 20, 1000, 160, 150),
		diskOf(0, 300, 0, 1000, 100, 200),
	} {
		for _, v := range verdict.All()[1:6] {
			room := f.room(v)
			if room == f.full() && v != verdict.NeverFits {
				room-- // From this on.
			}
			within, beyond := f, f
			within.need, beyond.need = room, max(room, 0)+1
			if within.ofPod().AtLeast(v) || !beyond.ofPod().AtLeast(v) {
				t.Errorf("%+v: room before %s is %d, but that gives %s and one more %s", f, v, room, within.ofPod(), beyond.ofPod())
			}
		}
	}
}

func measured(available estimate.Bytes) ledger.Account {
	return ledger.Account{
		Tier: ledger.Measured, CapacityBytes: 1000, Measured: available, Available: available,
		GCLineBytes: 160, EvictionLineBytes: 150,
	}
}

func TestJudge(t *testing.T) {
	exactly := estimate.Exactly
	stale := measured(exactly(500))
	stale.Stale, stale.Tier = true, ledger.Declared
	assumed := measured(exactly(500))
	assumed.Tier = ledger.Assumed
	empty := measured(exactly(0))
	empty.CapacityBytes = 0
	declared := measured(exactly(500))
	declared.Tier = ledger.Declared
	const v = verdict.EvictsPods
	for what, c := range map[string]struct {
		account            ledger.Account
		demand             demand
		margin             int64
		optimistic, likely verdict.Verdict
		why                Reason
	}{
		"each bound has its own verdict": {
			account: measured(estimate.Between(200, 300, 500)), demand: demand{need: estimate.Between(100, 250, 400)},
			optimistic: verdict.Fits, likely: v,
		},
		"the margin counts for the likely one only": {
			account: measured(exactly(500)), demand: demand{need: exactly(340)}, margin: 11,
			optimistic: verdict.Fits, likely: v,
		},
		"nothing to pull fits on a full node":      {account: measured(exactly(0)), optimistic: verdict.Fits, likely: verdict.Fits},
		"nothing to pull fits whatever is unknown": {account: stale, optimistic: verdict.Fits, likely: verdict.Fits},
		"likely nothing to pull fits": {
			account: measured(exactly(0)), demand: demand{need: estimate.Between(0, 0, 500)},
			optimistic: verdict.Fits, likely: verdict.Fits,
		},
		"a stale sample is no opinion": {
			account: stale, demand: demand{need: exactly(5000)}, optimistic: verdict.Unknown, likely: verdict.Unknown, why: StaleSample,
		},
		"an assumed disk is no opinion": {
			account: assumed, demand: demand{need: exactly(5000)}, optimistic: verdict.Unknown, likely: verdict.Unknown, why: NotMeasured,
		},
		"no capacity is no opinion": {
			account: empty, demand: demand{need: exactly(5000)}, optimistic: verdict.Unknown, likely: verdict.Unknown, why: NotMeasured,
		},
		"a declared disk is one": {account: declared, demand: demand{need: exactly(400)}, optimistic: v, likely: v},
		"an unknown size is no opinion but on what may be at best": {
			account: measured(exactly(500)), demand: demand{need: estimate.Unbounded(10, 10), unsized: true},
			optimistic: verdict.Fits, likely: verdict.Unknown, why: UnknownSize,
		},
		"what is known of the sizes is bad enough": {
			account: measured(exactly(500)), demand: demand{need: estimate.Unbounded(400, 400), unsized: true},
			optimistic: v, likely: v,
		},
	} {
		t.Run(what, func(t *testing.T) {
			got := judge("a", &c.account, c.demand, c.margin, v, verdict.EvictsPods)
			if got.Optimistic != c.optimistic || got.LikelyVerdict != c.likely || got.Why != c.why {
				t.Errorf("got %s, %s, %q, want %s, %s, %q", got.Optimistic, got.LikelyVerdict, got.Why, c.optimistic, c.likely, c.why)
			}
			if want := c.account.Available.Minus(c.demand.need); got.Projected != want {
				t.Errorf("projected %v, want %v", got.Projected, want)
			}
		})
	}
}

func TestWarnAtIsNeverAboveDenyAt(t *testing.T) {
	p := policy.Default()
	p.WarnAt, p.DenyAt = verdict.NeverFits, verdict.EvictsPods
	if got := warnAt(p); got != verdict.EvictsPods {
		t.Errorf("got %s", got)
	}
	p.WarnAt = verdict.TriggersGC
	if got := warnAt(p); got != verdict.TriggersGC {
		t.Errorf("got %s", got)
	}
}
