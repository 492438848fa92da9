// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package ledger_test

import (
	"math"
	"testing"

	"github.com/headroom-dev/headroom/ledger"
)

func TestPatience(t *testing.T) {
	const gib = 1 << 30
	defaults := ledger.DefaultLines()
	none := ledger.Lines{GCOff: true}
	disk := func(capacity, available int64) ledger.Measurement {
		return ledger.Measurement{CapacityBytes: capacity, AvailableBytes: available}
	}
	inodes := func(all, free int64) ledger.Measurement {
		return ledger.Measurement{CapacityBytes: 1000 * gib, AvailableBytes: 1000 * gib, Inodes: all, InodesFree: free}
	}
	shared := disk(1000*gib, 450*gib)
	shared.SharedWithNodeFS = true
	for what, test := range map[string]struct {
		sample ledger.Measurement
		lines  ledger.Lines
		want   int
	}{
		"below the lines":                      {disk(1000*gib, 100*gib), defaults, 1},
		"less than a tenth above":              {disk(1000*gib, 250*gib), defaults, 1},
		"just less than two tenths above":      {disk(1000*gib, 360*gib-1), defaults, 1},
		"two tenths above":                     {disk(1000*gib, 360*gib), defaults, 2},
		"three tenths above":                   {disk(1000*gib, 460*gib), defaults, 2},
		"four tenths above":                    {disk(1000*gib, 560*gib), defaults, 4},
		"an empty disk":                        {disk(1000*gib, 1000*gib), defaults, 8},
		"an empty disk that a few images fill": {disk(20*gib, 20*gib), defaults, 1},
		"40 GiB above on a small disk":         {disk(60*gib, 50*gib), defaults, 4},
		"no lines":                             {disk(1000*gib, 250*gib), none, 2},
		"a line of nodefs where that is another disk": {
			disk(1000*gib, 450*gib), ledger.Lines{GCOff: true, Thresholds: []ledger.Threshold{{Signal: ledger.NodeFSAvailable, Percent: 40}}}, 4,
		},
		"a line of nodefs where that is the same disk": {
			shared, ledger.Lines{GCOff: true, Thresholds: []ledger.Threshold{{Signal: ledger.NodeFSAvailable, Percent: 40}}}, 1,
		},
		"a soft line": {
			disk(1000*gib, 450*gib), ledger.Lines{GCOff: true, Thresholds: []ledger.Threshold{{Signal: ledger.ImageFSAvailable, Percent: 40, Soft: true}}}, 1,
		},
		"few inodes":         {inodes(1000, 100), defaults, 1},
		"some inodes":        {inodes(1000, 250), defaults, 2},
		"inodes not told":    {inodes(0, 0), defaults, 8},
		"nothing":            {ledger.Measurement{}, defaults, 1},
		"more than there is": {disk(math.MaxInt64, math.MaxInt64), defaults, 8},
	} {
		if got := test.sample.Patience(test.lines); got != test.want {
			t.Errorf("%s: %d, want %d", what, got, test.want)
		}
	}
}
