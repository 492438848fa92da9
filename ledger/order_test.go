// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package ledger_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"

	"github.com/headroom-dev/headroom/ledger"
	lt "github.com/headroom-dev/headroom/ledger/ledgertest"
)

// TestOrder has worlds in which x takes 100 bytes, and looks at node "a".
func TestOrder(t *testing.T) {
	sample := func(w *lt.World, uid string, available int64) ledger.Measurement {
		return ledger.Measurement{
			NodeUID: types.UID(uid), CapacityBytes: 1000, AvailableBytes: available, SampledAt: w.Now, ReceivedAt: w.Now,
		}
	}
	tests := map[string]struct {
		build func(w *lt.World)
		// What node "a" has then: its tier, measured bytes and sums.
		tier     ledger.Tier
		measured int64
		want     sums
	}{
		"a pod before its node": {
			build: func(w *lt.World) {
				w.Pod("p", lt.On("a"), lt.Wants("x"))
				w.Node("a", lt.Disk(1000, 900))
			},
			tier: ledger.Measured, measured: 900, want: sums{Pending: exactly(100)},
		},
		"a sample before its node": {
			build: func(w *lt.World) {
				w.Ledger.SetMeasurement("a", sample(w, "a", 900))
				w.Node("a")
			},
			tier: ledger.Measured, measured: 900,
		},
		"a sample of another node before the node": {
			build: func(w *lt.World) {
				w.Ledger.SetMeasurement("a", sample(w, "older", 900))
				w.Node("a")
			},
			tier: ledger.NoTier,
		},
		"samples of two nodes before the node have lost nothing between them": {
			build: func(w *lt.World) {
				w.Ledger.SetMeasurement("a", sample(w, "older", 900))
				w.Pod("p", lt.On("a"), lt.Wants("x"))
				w.Advance(time.Second)
				w.Ledger.SetMeasurement("a", sample(w, "a", 850))
				w.Node("a")
			},
			tier: ledger.Measured, measured: 850, want: sums{Pending: exactly(100)},
		},
		"a late sample": {
			build: func(w *lt.World) {
				w.Node("a", lt.Disk(1000, 900))
				late := sample(w, "a", 500)
				late.SampledAt = w.Now.Add(-time.Second)
				w.Ledger.SetMeasurement("a", late)
			},
			tier: ledger.Measured, measured: 900,
		},
		"a sample of a node whose clock was set back": {
			build: func(w *lt.World) {
				w.Node("a", lt.Disk(1000, 900))
				w.Advance(2 * time.Minute)
				m := sample(w, "a", 500)
				m.SampledAt = w.Now.Add(-time.Hour)
				w.Ledger.SetMeasurement("a", m)
			},
			tier: ledger.Measured, measured: 500,
		},
		"a node of the same name begins anew": {
			build: func(w *lt.World) {
				w.Node("a", lt.Disk(1000, 900))
				w.Pod("p", lt.On("a"), lt.Wants("x"))
				w.Node("a", lt.NodeUID("a2"), lt.Disk(1000, 700))
			},
			// Nobody knows when its pull began.
			tier: ledger.Measured, measured: 700, want: sums{Pending: between(0, 100, 100)},
		},
		"what is late of a node that was replaced": {
			build: func(w *lt.World) {
				w.Node("a", lt.Disk(1000, 900))
				w.Node("a", lt.NodeUID("a2"), lt.Disk(1000, 700))
				w.Advance(time.Second)
				w.Ledger.SetMeasurement("a", sample(w, "a", 100))
				w.Ledger.SetLines("a", "a", ledger.Lines{GCOff: true})
				w.Ledger.DeleteNode("a", "a")
				w.Node("a")
			},
			tier: ledger.Measured, measured: 700,
		},
		"a deleted pod stays deleted": {
			build: func(w *lt.World) {
				w.Node("a", lt.Disk(1000, 900))
				w.Delete("p")
				w.Pod("p", lt.On("a"), lt.Wants("x"))
			},
			tier: ledger.Measured, measured: 900,
		},
		"a pod of the same name is another one": {
			build: func(w *lt.World) {
				w.Node("a", lt.Disk(1000, 900))
				w.Pod("p", lt.On("a"), lt.Wants("x"))
				w.Delete("p")
				w.Pod("p", lt.PodUID("p2"), lt.On("a"), lt.Wants("x"))
			},
			// The first may have pulled it.
			tier: ledger.Measured, measured: 900, want: sums{Pending: between(0, 100, 100)},
		},
		"a bound pod stays bound": {
			build: func(w *lt.World) {
				w.Node("a", lt.Disk(1000, 900))
				w.Pod("p", lt.On("a"), lt.Wants("x"))
				w.Pod("p", lt.Wants("x"))
			},
			tier: ledger.Measured, measured: 900, want: sums{Pending: exactly(100)},
		},
		"a sample that is not asked for any more": {
			build: func(w *lt.World) {
				w.Node("a", lt.Disk(1000, 900))
				w.Ledger.ForgetMeasurement("a")
			},
			tier: ledger.NoTier,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w := lt.New(t)
			w.Registry("x", 100)
			test.build(w)
			got := w.Account("a")
			if got.Tier != test.tier || got.Measured != exactly(test.measured) {
				t.Errorf("%s with %+v, want %s with %d", got.Tier, got.Measured, test.tier, test.measured)
			}
			if got.Tier != ledger.NoTier && !got.LinesAssumed {
				t.Error("lines of another node are in force")
			}
			if diff := cmp.Diff(test.want, sumsOf(got)); diff != "" && test.tier != ledger.NoTier {
				t.Errorf("account (-want +got):\n%s", diff)
			}
		})
	}
}

func TestNodeDeletedBeforeItWasSeen(t *testing.T) {
	w := lt.New(t)
	w.Ledger.DeleteNode("a", "a")
	w.Node("a")
	if got := w.Ledger.Snapshot().Len(); got != 0 {
		t.Errorf("a late event brought %d nodes back", got)
	}
}

func TestPodsBoundBeforeWeLooked(t *testing.T) {
	w := lt.Unsynced(t)
	w.Registry("x", 100)
	w.Node("a", lt.Disk(1000, 900))
	w.Pod("p", lt.On("a"), lt.Wants("x"))
	w.Registry("y", 50)
	w.Pod("q", lt.On("a"), lt.Runs(w.Now.Add(time.Minute), "y"))
	if s := w.Ledger.Snapshot(); s.Synced() || s.Len() != 0 {
		t.Error("a ledger that is not synced shows nodes")
	}
	w.Ledger.MarkSynced()
	want := sums{Pending: between(0, 100, 100)}
	if diff := cmp.Diff(want, sumsOf(w.Account("a"))); diff != "" {
		t.Errorf("account (-want +got):\n%s", diff)
	}
}

func TestSnapshotStaysWhatItWas(t *testing.T) {
	w := lt.New(t)
	w.Registry("x", 100)
	w.Node("a", lt.Disk(1000, 900))
	before := w.Ledger.Snapshot()
	w.Node("a")
	w.Delete("nobody")
	w.Ledger.SetLines("nobody", "nobody", ledger.Lines{})
	if w.Ledger.Snapshot() != before {
		t.Error("another snapshot, though nothing has changed")
	}
	row, _ := before.Node("a")
	view := w.View()
	account := before.Account(row, view)
	w.Pod("p", lt.On("a"), lt.Wants("x"))
	w.Node("b")
	if after := w.Ledger.Snapshot(); after == before || after.Generation() <= before.Generation() {
		t.Error("no newer snapshot, though a pod was bound")
	}
	if diff := cmp.Diff(account, before.Account(row, view)); diff != "" {
		t.Errorf("the old snapshot has changed (-before +after):\n%s", diff)
	}
}
