// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"

	"github.com/headroom-dev/headroom/verdict"
)

func TestNowSaysWhichInodesAreShort(t *testing.T) {
	for what, test := range map[string]struct {
		node nodeReport
		want string
	}{
		"enough":              {nodeReport{VerdictNow: verdict.Fits, Inodes: 1000, InodesFree: 50, InodeLine: 50}, "Fits"},
		"short":               {nodeReport{VerdictNow: verdict.PressuresDisk, Inodes: 131072, InodesFree: 4000, InodeLine: 6553}, "PressuresDisk (3% of inodes left)"},
		"short of bytes, too": {nodeReport{VerdictNow: verdict.EvictsPods, Inodes: 1000, InodesFree: 0, InodeLine: 50}, "EvictsPods (0% of inodes left)"},
		"not told":            {nodeReport{VerdictNow: verdict.Unknown}, "Unknown"},
	} {
		if got := test.node.now(); got != test.want {
			t.Errorf("%s: %q, want %q", what, got, test.want)
		}
	}
}
