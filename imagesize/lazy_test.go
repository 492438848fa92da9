// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package imagesize_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/headroom-dev/headroom/estimate"
	"github.com/headroom-dev/headroom/imagesize"
)

func TestTallyLazy(t *testing.T) {
	const needed = 1000
	for name, tc := range map[string]struct {
		used string // samples 30 s apart; s: short of it, e: enough, b: short, of node b, f: node a is gone
		want bool
	}{
		"nothing":                         {"", false},
		"one short sample":                {"s", false},
		"four in a row, with one between": {"ssess", false},
		"of two nodes in turn":            {"sbs", false},
		"three: the list may be behind":   {"sss", false},
		"a minute and a half":             {"ssss", true},
		"nine clean ones":                 {"sssseeeeeeeee", true},
		"ten clean ones":                  {"sssseeeeeeeeee", false},
		"ten clean ones, not in a row":    {"sssseeeeeseeeee", true},
		"another node is clean":           {"sssseeeeeeeeeebbbb", true},
		"the node is gone":                {"ssssf", false},
		"the node is gone before that":    {"ssfss", false},
	} {
		t.Run(name, func(t *testing.T) {
			var tally imagesize.Tally
			for i, step := range tc.used {
				at := time.Unix(30*int64(i), 0)
				switch step {
				case 's':
					tally.AddUsed("a", needed-1, estimate.Between(needed, 2*needed, 3*needed), at)
				case 'e':
					tally.AddUsed("a", needed, estimate.Between(needed, 2*needed, 3*needed), at)
				case 'b':
					tally.AddUsed("b", 0, estimate.Exactly(needed), at)
				case 'f':
					tally.ForgetNode("a")
				}
			}
			if got := tally.Learned(1).Lazy; got != tc.want {
				t.Errorf("lazy is %v, want %v", got, tc.want)
			}
		})
	}
}

// TestTallyLazyIsBounded: with thousands of short nodes, one that clears does not end it.
func TestTallyLazyIsBounded(t *testing.T) {
	var tally imagesize.Tally
	for i := range 3000 {
		for k := range int64(2) {
			tally.AddUsed(strconv.Itoa(i), 0, estimate.Exactly(1), time.Unix(100*k, 0))
		}
	}
	for i := range 3000 {
		if !tally.Learned(1).Lazy {
			if i < 1000 {
				t.Errorf("not lazy after %d nodes have cleared", i)
			}
			return
		}
		tally.ForgetNode(strconv.Itoa(i))
	}
	t.Error("it never ends")
}
