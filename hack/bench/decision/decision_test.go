// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package decision

import (
	"testing"
	"time"

	"github.com/headroom-dev/headroom/hack/bench/fleet"
)

func TestRoundDecidesForAsLongAsItIsTold(t *testing.T) {
	f := fleet.Of(50, fleet.Roomy)
	d := New(f)
	r := d.Round(3, 20*time.Millisecond)
	if r.Round != 3 || r.Fleet != f || r.Count < len(d.requests) || r.Latency.P50 <= 0 || r.Latency.P99 < r.Latency.P50 || r.Allocations < 0 || r.Again.P50 <= 0 {
		t.Errorf("got %+v", r)
	}
	if r.LedgerBytes < 50*1000 {
		t.Errorf("a ledger of 50 nodes with 50 images and 30 pods each has %d bytes", r.LedgerBytes)
	}
}

func TestOnlyABurstIsDecidedAmidOthers(t *testing.T) {
	for kind, want := range map[string]bool{fleet.Roomy: false, fleet.NearlyFull: false, fleet.Burst: true} {
		d := New(fleet.Of(10, kind))
		for round := range 2 {
			before := d.come
			r := d.Round(round, time.Millisecond)
			if got := r.Amid != nil && r.Amid.P50 > 0; got != want || want != (d.come >= before+len(d.requests)) {
				t.Errorf("%s, round %d: %+v after %d pods more", kind, round, r.Amid, d.come-before)
			}
		}
	}
}

func TestRoundOfNoTimeMeasuresTheLedgerAlone(t *testing.T) {
	r := New(fleet.Of(10, fleet.Roomy)).Round(0, 0)
	if r.Count != 0 || r.LedgerBytes <= 0 {
		t.Errorf("got %+v", r)
	}
}
