// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package imagesize_test

import (
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/headroom-dev/headroom/estimate"
	"github.com/headroom-dev/headroom/imagesize"
)

// TestOneTenantsClaimsAreNoCertainty: the nodes discard blobs. The images of one tenant claim to take their blobs' bytes less
// than they do, so that their pulls look like ones that keep them. However many they are, they raise nobody's low bound.
func TestOneTenantsClaimsAreNoCertainty(t *testing.T) {
	lie := discardedPull
	lie.Unpacked = estimate.Exactly(discardedPull.TakenBytes - discardedPull.BlobBytes)
	var tally imagesize.Tally
	pull := func(namespace string, p imagesize.Pull, times int) {
		t.Helper()
		for i := range times {
			p.Node, p.Namespace = strconv.Itoa(i%5), namespace
			if outcome := tally.Add(p); outcome != imagesize.OutcomeUsed {
				t.Fatalf("outcome %s", outcome)
			}
		}
	}
	kept := func(when string, want *estimate.Factor) {
		t.Helper()
		if diff := cmp.Diff(want, tally.Learned(5).Kept); diff != "" {
			t.Errorf("%s: kept (-want +got):\n%s", when, diff)
		}
	}
	pull("liar", lie, 100)
	kept("lies alone", &estimate.Factor{Low: 0, Likely: 1, High: 1})
	pull("honest", discardedPull, 1)
	kept("one that does not lie", &estimate.Factor{Low: 0, Likely: 15.0 / 16, High: 1})
	pull("liar", lie, 15)
	kept("lies that leave room for it", &estimate.Factor{Low: 0, Likely: 15.0 / 16, High: 1})
	pull("liar", lie, 1)
	kept("and no more", &estimate.Factor{Low: 0, Likely: 1, High: 1})
	pull("honest", discardedPull, 8)
	pull("other", discardedPull, 8)
	kept("the truth of two", &estimate.Factor{})
}
