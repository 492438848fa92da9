// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fit

import (
	"testing"
	"time"

	"github.com/headroom-dev/headroom/imagesize"
	"github.com/headroom-dev/headroom/ledger"
	"github.com/headroom-dev/headroom/policy"
)

func TestEvaluatorDecidesByAFleetThatKnowsEnough(t *testing.T) {
	l, p := world(full("n1")), enforcing()
	registry(t, l, map[string]int64{"app": 700, "other": 1})
	fleet, now := NewFleet(l.Snapshot(), p, epoch), epoch
	e := Evaluator{
		Snapshot: l.Snapshot, Policy: func() *policy.Policy { return p }, Clock: func() time.Time { return now },
		Fleet: func() *Fleet { return fleet },
	}
	r := RequestOf(podOf("app"))
	decides := func(want Action) {
		t.Helper()
		if d := e.Evaluate(r); d.Action != want {
			t.Errorf("%s, want %s: %s", d.Action, want, d.Message)
		}
	}
	decides(Deny)
	roomier := func(at time.Time) {
		l.SetMeasurement("n1", ledger.Measurement{CapacityBytes: 1000, AvailableBytes: 999, SampledAt: at, ReceivedAt: at})
	}
	roomier(epoch.Add(time.Millisecond))
	decides(Deny) // The fleet is a moment behind.
	now = now.Add(2 * maxBehind)
	decides(Allow) // That was long ago.
	fleet = fleet.Next(l.Snapshot(), p, now)
	decides(Allow)
	l.SetManifest(ref(t, "other"), linux, imagesize.Manifest{CompressedBytes: 2})
	decides(Allow)
	l.SetManifest(ref(t, "app"), linux, imagesize.Manifest{CompressedBytes: 990})
	decides(Deny) // The fleet does not know of it yet.
	fleet = nil
	decides(Deny)
	p = policy.Default()
	decides(Warn)
}
