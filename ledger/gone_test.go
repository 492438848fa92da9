// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package ledger_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"

	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/ledger"
	lt "github.com/headroom-dev/headroom/ledger/ledgertest"
)

// TestAccountOfPodsThatAreGone has worlds with a node "a" of 1000 bytes, 900 of
// them available, whose clock is an hour ahead of ours, and the image x of 100.
func TestAccountOfPodsThatAreGone(t *testing.T) {
	const ahead = time.Hour
	wantsX := func(v *ledger.View) { v.Images = []imageref.Ref{mustParse("x")} }
	ran := func(w *lt.World, options ...lt.PodOption) {
		w.Pod("p", lt.On("a"), lt.Wants("x"))
		w.Advance(time.Second)
		w.Pod("p", append(options, lt.On("a"), lt.Runs(w.Now.Add(ahead), "x"))...)
		w.Delete("p")
	}
	tests := map[string]struct {
		build    func(w *lt.World)
		view     func(*ledger.View)
		want     sums
		presence ledger.Presence
	}{
		"what a pod had started with still counts":               {build: func(w *lt.World) { ran(w) }, want: sums{Settled: exactly(100)}, presence: ledger.PresenceUnsure},
		"what a job had started with that is deleted at its end": {build: func(w *lt.World) { ran(w, lt.Finished()) }, want: sums{Settled: exactly(100)}, presence: ledger.PresenceUnsure},
		"it is not needed a second time":                         {build: func(w *lt.World) { ran(w) }, view: wantsX, want: sums{Settled: exactly(100)}, presence: ledger.PresenceUnsure},
		"what was under way counts without a low bound": {
			build: func(w *lt.World) {
				w.Pod("p", lt.On("a"), lt.Wants("x"))
				w.Advance(time.Second)
				w.SampleOf("a", 870, ahead, 0)
				w.Advance(time.Second)
				w.Delete("p")
				w.Delete("p")
			},
			want: sums{Pending: between(0, 70, 100)}, presence: ledger.PresenceUnsure,
		},
		"what was under way, for a pod that needs it": {
			build: func(w *lt.World) { w.Pod("p", lt.On("a"), lt.Wants("x")); w.Delete("p") },
			view:  wantsX, presence: ledger.PresenceUnsure,
		},
		"what was hardly under way": {
			build: func(w *lt.World) {
				w.Pod("p", lt.On("a"), lt.Wants("x"), lt.Deleting())
				w.Delete("p")
			},
			want: sums{Pending: between(0, 0, 100)}, presence: ledger.PresenceUnsure,
		},
		"what another pod waits for counts as that pod's": {
			build: func(w *lt.World) {
				w.Pod("p", lt.On("a"), lt.Wants("x"))
				w.Pod("q", lt.On("a"), lt.Wants("x"))
				w.Delete("p")
			},
			want: sums{Pending: between(0, 100, 100)}, presence: ledger.PresenceUnsure,
		},
		"what another pod runs costs nothing": {
			build: func(w *lt.World) {
				w.Pod("q", lt.On("a"), lt.Runs(w.Now, "x"))
				w.Pod("p", lt.On("a"), lt.Wants("x"))
				w.Delete("p")
			},
			presence: ledger.Present,
		},
		"what is never pulled, or was never begun": {
			build: func(w *lt.World) {
				w.Pod("p", lt.On("a"), lt.NeverPulls("x"))
				w.Delete("p")
				w.Pod("q", lt.On("a"), lt.Wants("x"), lt.Finished())
				w.Delete("q")
				w.Pod("r", lt.Wants("x"))
				w.Delete("r")
			},
			presence: ledger.Absent,
		},
		"a sample of before the deletion": {
			build: func(w *lt.World) {
				w.Pod("p", lt.On("a"), lt.Wants("x"))
				w.Advance(time.Minute)
				w.Delete("p")
				w.Advance(10 * time.Second)
				w.SampleOf("a", 870, ahead, 10*time.Second+1)
			},
			want: sums{Pending: between(0, 70, 100)}, presence: ledger.PresenceUnsure,
		},
		"a sample of after the deletion": {
			build: func(w *lt.World) {
				w.Pod("p", lt.On("a"), lt.Wants("x"))
				w.Advance(time.Minute)
				w.Delete("p")
				w.Advance(10 * time.Second)
				w.SampleOf("a", 870, ahead, 10*time.Second)
			},
			presence: ledger.PresenceUnsure,
		},
		"a sample of after the start, though of before the deletion": {
			build: func(w *lt.World) {
				ran(w)
				w.SampleOf("a", 800, ahead, 0)
			},
			presence: ledger.PresenceUnsure,
		},
		"what the list has by now, and the sample does not": {
			build: func(w *lt.World) {
				w.Pod("p", lt.On("a"), lt.Wants("x"))
				w.Advance(time.Second)
				w.Pod("p", lt.On("a"), lt.Runs(w.Now.Add(ahead), "x"))
				w.Node("a", lt.Lists("x=100"))
				w.Delete("p")
			},
			want: sums{Settled: exactly(100), Reclaimable: between(0, 100, 100)}, presence: ledger.Present,
		},
		"what the list had, and has no more": {
			build: func(w *lt.World) {
				w.Node("a", lt.Lists("x=100"))
				w.Pod("p", lt.On("a"), lt.Runs(w.Now.Add(ahead), "x"))
				w.Delete("p")
				w.Node("a")
			},
			presence: ledger.Absent,
		},
		"two minutes are enough for a reader": {
			build: func(w *lt.World) {
				w.Pod("p", lt.On("a"), lt.Wants("x"))
				w.Delete("p")
				w.Advance(2 * time.Minute)
			},
			presence: ledger.PresenceUnsure,
		},
		"two minutes, and any pod": {
			build: func(w *lt.World) {
				ran(w)
				w.Advance(2 * time.Minute)
				w.Pod("q", lt.On("a"))
			},
			presence: ledger.Absent,
		},
		"two minutes, and any pod that goes": {
			build: func(w *lt.World) {
				w.Pod("q", lt.On("a"))
				ran(w)
				w.Advance(2 * time.Minute)
				w.Delete("q")
			},
			presence: ledger.Absent,
		},
		"two minutes, and any sample": {
			build: func(w *lt.World) {
				ran(w)
				w.Advance(2 * time.Minute)
				w.SampleOf("a", 900, ahead, 0)
			},
			presence: ledger.Absent,
		},
		"a node of the same name knows nothing of it": {
			build:    func(w *lt.World) { ran(w); w.Node("a", lt.NodeUID("a2"), lt.Disk(1000, 900)) },
			presence: ledger.Absent,
		},
		"nor does one that was deleted meanwhile": {
			build: func(w *lt.World) {
				ran(w)
				w.Ledger.DeleteNode("a", "a")
				w.Node("a", lt.NodeUID("a2"), lt.Disk(1000, 900))
			},
			presence: ledger.Absent,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w := lt.New(t)
			w.Node("a", lt.Disk(1000, 900))
			w.SampleOf("a", 900, ahead, 0)
			w.Advance(time.Second)
			w.Registry("x", 100)
			test.build(w)
			if test.view == nil {
				test.view = func(*ledger.View) {}
			}
			account := w.Account("a", test.view)
			if diff := cmp.Diff(test.want, sumsOf(account)); diff != "" {
				t.Errorf("account (-want +got):\n%s", diff)
			}
			if waits := slices.ContainsFunc(slices.Collect(w.Row("a").Pods()), func(p *ledger.Pod) bool { return len(p.Images) > 0 && !p.Images[0].Pulled }); len(account.Pulling) > 0 && !waits {
				t.Errorf("pulling %v for a pod that is gone", account.Pulling)
			}
			if got := w.Row("a").Presence(mustParse("x")); got != test.presence {
				t.Errorf("presence %s, want %s", got, test.presence)
			}
		})
	}
}

// TestPodsThatAreGoneAreFew holds the memory that deleted pods take to its bound.
func TestPodsThatAreGoneAreFew(t *testing.T) {
	const pods, remembered = 1000, 256
	w := lt.New(t)
	w.Node("a", lt.Disk(1_000_000, 900_000))
	w.Advance(time.Second)
	for i := range pods {
		name := fmt.Sprint("p", i)
		w.Registry(name, 1)
		w.Pod(name, lt.On("a"), lt.Wants(name))
		w.Delete(types.UID(name))
	}
	if got, want := w.Account("a").Pending, between(0, remembered, remembered); got != want {
		t.Errorf("pending %+v, want that of the last ones: %+v", got, want)
	}
}
