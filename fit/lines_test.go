// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fit

import (
	"testing"
	"time"

	"github.com/headroom-dev/headroom/estimate"
	"github.com/headroom-dev/headroom/ledger"
	"github.com/headroom-dev/headroom/verdict"
)

// configured gives node "a" a kubelet that somebody has configured: with image GC as by default, and these thresholds.
func configured(thresholds ...ledger.Threshold) func(*ledger.Ledger) {
	return func(l *ledger.Ledger) {
		own := lines()
		own.Thresholds = thresholds
		l.SetLines("a", "a", own)
	}
}

// What a pod of 100 bytes meets on a disk of 1000, by what its kubelet is configured to do.
func TestVerdictsByConfiguration(t *testing.T) {
	image := func(percent, minimum float64) ledger.Threshold {
		return ledger.Threshold{Signal: ledger.ImageFSAvailable, Percent: percent, MinReclaimPercent: minimum}
	}
	soft := image(20, 0)
	soft.Soft = true
	with := func(available, unused int64) []node {
		n := node{name: "a", capacity: 1000, available: available}
		if unused > 0 {
			n.images = map[string]int64{"old": unused}
		}
		return []node{n}
	}
	gcOff := func(l *ledger.Ledger) {
		l.SetLines("a", "a", ledger.Lines{GCHighPercent: 100, GCLowPercent: 80, GCOff: true, MaxImagesListed: -1})
	}
	run(t, map[string]situation{
		"a reclaim that meets the minimum":                 {nodes: with(200, 100), ledger: configured(image(15, 5)), action: Allow, verdict: verdict.PressuresDisk},
		"a reclaim that misses the minimum":                {nodes: with(200, 99), ledger: configured(image(15, 5)), action: Deny, verdict: verdict.EvictsPods},
		"a minimum is no line":                             {nodes: with(250, 0), ledger: configured(image(15, 5)), action: Allow, verdict: verdict.TriggersGC},
		"the minimum of a line that is not crossed":        {nodes: with(200, 99), ledger: configured(image(15, 0), ledger.Threshold{Signal: ledger.ImageFSAvailable, Percent: 10, MinReclaimPercent: 10, Soft: true}), action: Deny, verdict: verdict.EvictsPods},
		"a soft line counts as a hard one":                 {nodes: with(250, 50), ledger: configured(image(5, 0), soft), action: Allow, verdict: verdict.PressuresDisk},
		"an absolute line":                                 {nodes: with(200, 0), ledger: configured(ledger.Threshold{Signal: ledger.ImageFSAvailable, Bytes: 101}), action: Deny, verdict: verdict.EvictsPods},
		"an absolute line that is met":                     {nodes: with(200, 0), ledger: configured(ledger.Threshold{Signal: ledger.ImageFSAvailable, Bytes: 100}), action: Allow, verdict: verdict.TriggersGC},
		"a line of another disk":                           {nodes: with(200, 0), ledger: configured(ledger.Threshold{Signal: ledger.NodeFSAvailable, Percent: 15}), action: Allow, verdict: verdict.TriggersGC},
		"no line, above the GC line":                       {nodes: with(260, 0), ledger: configured(), action: Allow, verdict: verdict.Fits},
		"no line, below the GC line":                       {nodes: with(101, 0), ledger: configured(), action: Allow, verdict: verdict.TriggersGC},
		"no line, and the disk is full":                    {nodes: with(100, 0), ledger: configured(), action: Deny, verdict: verdict.FillsDisk},
		"no line, full unless the GC comes in time":        {nodes: with(100, 50), ledger: configured(), action: Warn, verdict: verdict.FillsDisk},
		"no line and no GC, with one byte left":            {nodes: with(101, 50), ledger: gcOff, action: Allow, verdict: verdict.Fits},
		"no line and no GC: what is unused helps nobody":   {nodes: with(100, 50), ledger: gcOff, action: Deny, verdict: verdict.FillsDisk},
		"no line, refused only past what the GC can free":  {nodes: with(50, 50), ledger: configured(), action: Deny, verdict: verdict.FillsDisk},
		"no line, more than an empty disk":                 {nodes: with(50, 0), registry: map[string]int64{"app": 1001}, ledger: configured(), action: Deny, verdict: verdict.NeverFits},
		"a line of everything: the node is never above it": {nodes: with(900, 0), ledger: configured(image(100, 0)), action: Deny, verdict: verdict.NeverFits},
	})
}

// Inodes that are short are disk pressure, and never more.
func TestInodes(t *testing.T) {
	left := func(free, available int64) []node {
		return []node{{name: "a", capacity: 1000, available: available, inodes: 1000, inodesFree: free}}
	}
	pressure := at(verdict.PressuresDisk, verdict.PressuresDisk)
	there := left(0, 900)
	there[0].images = map[string]int64{"app": 100}
	untold := left(0, 900)
	untold[0].inodes = 0
	old := left(0, 900)
	old[0].age = time.Hour
	run(t, map[string]situation{
		"exactly at the line":                     {nodes: left(50, 900), policy: pressure, action: Allow, verdict: verdict.Fits},
		"one below the line":                      {nodes: left(49, 900), action: Allow, verdict: verdict.PressuresDisk},
		"one below, where the policy refuses":     {nodes: left(49, 900), policy: pressure, action: Deny, verdict: verdict.PressuresDisk},
		"none left is not worse":                  {nodes: left(0, 900), action: Allow, verdict: verdict.PressuresDisk},
		"bytes that are worse count":              {nodes: left(0, 200), action: Deny, verdict: verdict.EvictsPods},
		"nothing to pull":                         {nodes: there, policy: pressure, action: Allow, verdict: verdict.Fits},
		"inodes that are not told":                {nodes: untold, policy: pressure, action: Allow, verdict: verdict.Fits},
		"inodes of a sample that is too old":      {nodes: old, policy: pressure, action: Allow, verdict: verdict.Unknown, reason: StaleSample},
		"no line for inodes":                      {nodes: left(0, 900), policy: pressure, ledger: configured(ledger.Threshold{Signal: ledger.ImageFSAvailable, Percent: 15}), action: Allow, verdict: verdict.Fits},
		"a number as the line":                    {nodes: left(299, 900), ledger: configured(ledger.Threshold{Signal: ledger.ImageFSInodesFree, Inodes: 300}), action: Allow, verdict: verdict.PressuresDisk},
		"short of inodes on a disk without lines": {nodes: left(0, 900), ledger: configured(ledger.Threshold{Signal: ledger.ImageFSInodesFree, Percent: 5}), action: Allow, verdict: verdict.PressuresDisk},
	})
	now := func(n node) verdict.Verdict {
		s := world(n).Snapshot()
		row, _ := s.Node("a")
		return Now(s, row, enforcing(), epoch).LikelyVerdict
	}
	if got := now(left(49, 900)[0]); got != verdict.PressuresDisk {
		t.Errorf("a node that is short of inodes as it is: %s", got)
	}
	if got := now(left(50, 900)[0]); got != verdict.Fits {
		t.Errorf("a node that has just enough inodes as it is: %s", got)
	}
}

// What a pull takes besides for its time, and how many inodes it likely brings.
func TestPeakAndInodesOfAPull(t *testing.T) {
	exactly := estimate.Exactly
	account := func(available, reclaimable int64) ledger.Account {
		a := measured(exactly(available))
		a.EvictionTargetBytes, a.Reclaimable = 150, estimate.Between(0, reclaimable, reclaimable)
		a.Inodes, a.InodesFree, a.InodeLine = 1000, 100, 50
		return a
	}
	lineless := account(500, 100)
	lineless.EvictionLineBytes, lineless.EvictionTargetBytes = 0, 0
	for what, c := range map[string]struct {
		account            ledger.Account
		demand             demand
		optimistic, likely verdict.Verdict
	}{
		"a peak that stays above the eviction line": {
			account(500, 0), demand{need: exactly(100), peak: exactly(250)}, verdict.Fits, verdict.Fits,
		},
		"a peak that crosses it is likely noticed": {
			account(500, 0), demand{need: exactly(100), peak: exactly(251)}, verdict.Fits, verdict.EvictsPods,
		},
		"with images to delete meanwhile": {
			account(500, 1), demand{need: exactly(100), peak: exactly(251)}, verdict.Fits, verdict.PressuresDisk,
		},
		"a peak that fills the disk, whatever is left afterwards": {
			account(500, 50), demand{need: exactly(100), peak: exactly(450)}, verdict.FillsDisk, verdict.FillsDisk,
		},
		"a byte less than that": {
			account(500, 50), demand{need: exactly(100), peak: exactly(449)}, verdict.Fits, verdict.EvictsPods,
		},
		"the least peak counts at best": {
			account(500, 0), demand{need: exactly(100), peak: estimate.Between(0, 400, 500)}, verdict.Fits, verdict.FillsDisk,
		},
		"a peak where no kubelet would notice": {
			lineless, demand{need: exactly(100), peak: exactly(399)}, verdict.Fits, verdict.Fits,
		},
		"a peak that fills the disk where no kubelet would notice": {
			lineless, demand{need: exactly(100), peak: exactly(400)}, verdict.Fits, verdict.FillsDisk,
		},
		"inodes down to the line": {
			account(900, 0), demand{need: exactly(100), inodes: 50}, verdict.Fits, verdict.Fits,
		},
		"one inode more is likely too many, and perhaps not": {
			account(900, 0), demand{need: exactly(100), inodes: 51}, verdict.Fits, verdict.PressuresDisk,
		},
		"inodes past all counting": {
			account(900, 0), demand{need: exactly(100), inodes: 1 << 62}, verdict.Fits, verdict.PressuresDisk,
		},
	} {
		t.Run(what, func(t *testing.T) {
			got := judge("a", &c.account, c.demand, 0, verdict.EvictsPods, verdict.EvictsPods)
			if got.Optimistic != c.optimistic || got.LikelyVerdict != c.likely {
				t.Errorf("got %s, %s, want %s, %s", got.Optimistic, got.LikelyVerdict, c.optimistic, c.likely)
			}
		})
	}
}
