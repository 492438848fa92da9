// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package imagesize_test

import (
	"strconv"
	"testing"

	"github.com/headroom-dev/headroom/estimate"
	"github.com/headroom-dev/headroom/imagesize"
)

func TestTallyLazy(t *testing.T) {
	const needed = 1000
	for name, tc := range map[string]struct {
		used string // s: short of it, e: enough, b: short, of node b, f: node a is gone
		want bool
	}{
		"nothing":                         {"", false},
		"one short sample":                {"s", false},
		"two, not in a row":               {"ses", false},
		"two of two nodes":                {"sb", false},
		"two in a row":                    {"ss", true},
		"nine clean ones":                 {"sseeeeeeeee", true},
		"ten clean ones":                  {"sseeeeeeeeee", false},
		"ten clean ones, not in a row":    {"sseeeeeseeeee", true},
		"another node is clean":           {"sseeeeeeeeeebb", true},
		"the node is gone":                {"ssf", false},
		"the node is gone before the two": {"sfs", false},
	} {
		t.Run(name, func(t *testing.T) {
			var tally imagesize.Tally
			for _, step := range tc.used {
				switch step {
				case 's':
					tally.AddUsed("a", needed-1, estimate.Between(needed, 2*needed, 3*needed))
				case 'e':
					tally.AddUsed("a", needed, estimate.Between(needed, 2*needed, 3*needed))
				case 'b':
					tally.AddUsed("b", 0, estimate.Exactly(needed))
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
		for range 2 {
			tally.AddUsed(strconv.Itoa(i), 0, estimate.Exactly(1))
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
