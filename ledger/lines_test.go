// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package ledger_test

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/headroom-dev/headroom/ledger"
	lt "github.com/headroom-dev/headroom/ledger/ledgertest"
)

func TestLinesByTheKubeletsOwnRule(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 200_000 {
		capacity, high := 1+random.Int64N(5000), random.IntN(101)
		available := random.Int64N(capacity + 1)
		line := ledger.Lines{GCHighPercent: high}.GCLineBytes(capacity)
		if kubelet := 100-int(available*100/capacity) >= high; kubelet != (available < line) {
			t.Fatalf("capacity %d, available %d, high %d: kubelet collects: %v, line %d", capacity, available, high, kubelet, line)
		}
	}
}

func TestEvictionLine(t *testing.T) {
	image, node := ledger.ImageFSAvailable, ledger.NodeFSAvailable
	tests := map[string]struct {
		thresholds []ledger.Threshold
		capacity   int64
		shared     bool
		want       int64
	}{
		"none":                             {capacity: 1000},
		"a percentage":                     {[]ledger.Threshold{{Signal: image, Percent: 15}}, 1000, false, 150},
		"the kubelet's float32":            {[]ledger.Threshold{{Signal: image, Percent: 15}}, 270e9, false, 40500001609},
		"nodefs on another disk":           {[]ledger.Threshold{{Signal: node, Percent: 20}}, 1000, false, 0},
		"nodefs on one disk":               {[]ledger.Threshold{{Signal: image, Percent: 15}, {Signal: node, Percent: 20}}, 1000, true, 200},
		"soft ones count":                  {[]ledger.Threshold{{Signal: image, Percent: 5}, {Signal: image, Bytes: 300, Soft: true}}, 1000, false, 300},
		"an absolute one of many":          {[]ledger.Threshold{{Signal: image, Percent: 15}, {Signal: node, Bytes: 151}}, 1000, true, 151},
		"no more than nothing":             {[]ledger.Threshold{{Signal: image}}, 1000, false, 0},
		"all of the disk":                  {[]ledger.Threshold{{Signal: image, Percent: 100}}, 1000, false, 1000},
		"inodes are no bytes":              {[]ledger.Threshold{{Signal: ledger.ImageFSInodesFree, Percent: 5}}, 1000, true, 0},
		"a minimum reclaim is no line":     {[]ledger.Threshold{{Signal: image, Percent: 15, MinReclaimPercent: 10}}, 1000, true, 150},
		"bytes alone need no capacity":     {[]ledger.Threshold{{Signal: image, Bytes: 7}}, 0, false, 7},
		"negative and not-a-number values": {[]ledger.Threshold{{Signal: image, Bytes: -7}, {Signal: image, Percent: math.NaN()}}, 1000, false, 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := ledger.Lines{Thresholds: test.thresholds}.EvictionLineBytes(test.capacity, test.shared)
			if got != test.want {
				t.Errorf("%d, want %d", got, test.want)
			}
		})
	}
	if got := (ledger.Lines{GCHighPercent: 100, GCOff: true}).GCLineBytes(1000); got != 0 {
		t.Errorf("a line at %d with image GC off", got)
	}
	if got := (ledger.Lines{}).GCLineBytes(math.MaxInt64); got != math.MaxInt64 {
		t.Errorf("101%% of the largest capacity: %d", got)
	}
}

func TestEvictionTarget(t *testing.T) {
	image, node := ledger.ImageFSAvailable, ledger.NodeFSAvailable
	tests := map[string]struct {
		thresholds []ledger.Threshold
		shared     bool
		want       int64
	}{
		"none":                    {nil, true, 0},
		"no minimum":              {[]ledger.Threshold{{Signal: image, Percent: 15}}, true, 150},
		"a share":                 {[]ledger.Threshold{{Signal: image, Percent: 15, MinReclaimPercent: 5}}, false, 200},
		"a number":                {[]ledger.Threshold{{Signal: image, Bytes: 150, MinReclaimBytes: 7}}, false, 157},
		"the lower line's":        {[]ledger.Threshold{{Signal: image, Percent: 15}, {Signal: node, Percent: 10, MinReclaimPercent: 10}}, true, 200},
		"another disk's":          {[]ledger.Threshold{{Signal: image, Percent: 15}, {Signal: node, Percent: 10, MinReclaimPercent: 10}}, false, 150},
		"a soft line's":           {[]ledger.Threshold{{Signal: image, Percent: 15}, {Signal: image, Percent: 20, Soft: true, MinReclaimBytes: 10}}, false, 210},
		"past all counting":       {[]ledger.Threshold{{Signal: image, Bytes: math.MaxInt64, MinReclaimBytes: math.MaxInt64}}, false, math.MaxInt64},
		"without a line, nothing": {[]ledger.Threshold{{Signal: image, MinReclaimPercent: 10}}, true, 0},
		"of a line that is never crossed beside one that is": {
			[]ledger.Threshold{{Signal: image, MinReclaimPercent: 10}, {Signal: node, Percent: 5}}, true, 100,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := (ledger.Lines{Thresholds: test.thresholds}).EvictionTargetBytes(1000, test.shared); got != test.want {
				t.Errorf("%d, want %d", got, test.want)
			}
		})
	}
}

func TestInodeLine(t *testing.T) {
	defaults := ledger.DefaultLines()
	absolute := ledger.Lines{Thresholds: []ledger.Threshold{
		{Signal: ledger.ImageFSInodesFree, Percent: 1}, {Signal: ledger.NodeFSInodesFree, Inodes: 100, Soft: true}, {Signal: ledger.ImageFSAvailable, Bytes: 500},
	}}
	tests := map[string]struct {
		lines  ledger.Lines
		inodes int64
		shared bool
		want   int64
	}{
		"the defaults":                         {defaults, 131072, false, 6553},
		"inodes not told":                      {defaults, 0, true, 0},
		"a number, on one disk":                {absolute, 1000, true, 100},
		"a number, but of the other disk":      {absolute, 1000, false, 9}, // As 1 % of 1000 is in a float32.
		"a number where inodes are not told":   {absolute, 0, true, 0},
		"no threshold":                         {ledger.Lines{}, 1000, true, 0},
		"thresholds for bytes are none either": {ledger.Lines{Thresholds: defaults.Thresholds[:2]}, 1000, true, 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := test.lines.InodeLine(test.inodes, test.shared); got != test.want {
				t.Errorf("%d, want %d", got, test.want)
			}
		})
	}
}

// TestReclaimableOfImagesThatMayBeYoung: nobody tells for how long a kubelet has known an image.
func TestReclaimableOfImagesThatMayBeYoung(t *testing.T) {
	for age, want := range map[time.Duration][3]int64{
		0: {80, 80, 80}, 2 * time.Minute: {80, 80, 80}, 2*time.Minute + time.Second: {0, 80, 80}, 24 * time.Hour: {0, 80, 80},
	} {
		w := lt.New(t)
		layered(w, "two", "ac", 10, 30)
		lines := ledger.DefaultLines()
		lines.ImageMinAge = age
		w.Node("a", lt.Disk(4000*mib, 3000*mib), lt.Lists("two=41943040"), lt.Lines(lines))
		if diff := cmp.Diff(want, wholeMiB(w.Account("a", asKept(w)).Reclaimable)); diff != "" {
			t.Errorf("images of less than %v stay: reclaimable, MiB (-want +got):\n%s", age, diff)
		}
	}
}
