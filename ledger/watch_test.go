// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package ledger_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	lt "github.com/headroom-dev/headroom/ledger/ledgertest"
)

func TestObservations(t *testing.T) {
	const poll = 10 * time.Second
	calm := func(w *lt.World, available int64) {
		w.Node("a", lt.Disk(1000, available), lt.Lists("pause=1"))
		for range 2 {
			w.Advance(poll)
			w.Sample("a", available)
		}
	}
	runs := func(w *lt.World) { w.Pod("p", lt.On("a"), lt.Runs(w.Now, "app")) }
	sample := func(w *lt.World, available int64) {
		w.Advance(poll)
		w.Sample("a", available)
	}
	tests := map[string]struct {
		happens func(*lt.World)
		want    []int64
	}{
		"a pull alone": {func(w *lt.World) {
			calm(w, 900)
			w.Pod("p", lt.On("a"), lt.Wants("app"))
			sample(w, 850)
			runs(w)
			sample(w, 800)
			sample(w, 800)
		}, []int64{100}},
		"what is thrown away after it does not count": {func(w *lt.World) {
			calm(w, 900)
			w.Pod("p", lt.On("a"), lt.Wants("app"))
			runs(w)
			sample(w, 800)
			sample(w, 850)
		}, []int64{50}},
		"one sample after it is not enough": {func(w *lt.World) {
			calm(w, 900)
			w.Pod("p", lt.On("a"), lt.Wants("app"))
			runs(w)
			sample(w, 800)
		}, nil},
		"nobody knows what was before": {func(w *lt.World) {
			w.Node("a", lt.Disk(1000, 900), lt.Lists("pause=1"))
			w.Pod("p", lt.On("a"), lt.Wants("app"))
			runs(w)
			sample(w, 800)
			sample(w, 800)
		}, nil},
		"two images at once": {func(w *lt.World) {
			calm(w, 900)
			w.Pod("p", lt.On("a"), lt.Wants("app", "side"))
			w.Pod("p", lt.On("a"), lt.Runs(w.Now, "app", "side"))
			sample(w, 800)
			sample(w, 800)
		}, nil},
		"another pod pulls meanwhile": {func(w *lt.World) {
			calm(w, 900)
			w.Pod("p", lt.On("a"), lt.Wants("app"))
			w.Pod("q", lt.On("a"), lt.Wants("other"))
			runs(w)
			sample(w, 800)
			sample(w, 800)
		}, nil},
		"another pod goes meanwhile": {func(w *lt.World) {
			w.Node("a", lt.Disk(1000, 900), lt.Lists("pause=1"))
			w.Pod("q", lt.On("a"), lt.Runs(w.Now, "pause"))
			calm(w, 900)
			w.Pod("p", lt.On("a"), lt.Wants("app"))
			w.Delete("q")
			runs(w)
			sample(w, 800)
			sample(w, 800)
		}, nil},
		"an image is removed meanwhile": {func(w *lt.World) {
			calm(w, 900)
			w.Pod("p", lt.On("a"), lt.Wants("app"))
			w.Node("a", lt.Lists("app=90"))
			runs(w)
			sample(w, 800)
			sample(w, 800)
		}, nil},
		"the image was there": {func(w *lt.World) {
			calm(w, 900)
			w.Pod("p", lt.On("a"), lt.Wants("pause"))
			w.Pod("p", lt.On("a"), lt.Runs(w.Now, "pause"))
			sample(w, 890)
			sample(w, 890)
		}, nil},
		"the disk has more in the end": {func(w *lt.World) {
			calm(w, 900)
			w.Pod("p", lt.On("a"), lt.Wants("app"))
			runs(w)
			sample(w, 950)
			sample(w, 950)
		}, []int64{0}},
		"one pull after the other": {func(w *lt.World) {
			calm(w, 900)
			w.Pod("p", lt.On("a"), lt.Wants("app"))
			runs(w)
			sample(w, 800)
			sample(w, 800)
			w.Pod("q", lt.On("a"), lt.Wants("other"))
			w.Pod("q", lt.On("a"), lt.Runs(w.Now, "other"))
			sample(w, 770)
			sample(w, 770)
		}, []int64{100, 30}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w := lt.New(t)
			test.happens(w)
			var got []int64
			for _, o := range w.Ledger.Observations() {
				got = append(got, o.TakenBytes)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("pulls that were watched took (-want +got):\n%s", diff)
			}
			if again := w.Ledger.Observations(); len(again) > 0 {
				t.Errorf("%v is told twice", again)
			}
		})
	}
}

// TestObservationsNameWhoPulled: what is learned of a pool depends on whose image it was.
func TestObservationsNameWhoPulled(t *testing.T) {
	w := lt.New(t)
	w.Node("a", lt.Disk(1000, 900), lt.Lists("pause=1"))
	for range 2 {
		w.Advance(10 * time.Second)
		w.Sample("a", 900)
	}
	w.Pod("p", lt.On("a"), lt.In("tenant"), lt.Wants("app"))
	w.Pod("p", lt.On("a"), lt.In("tenant"), lt.Runs(w.Now, "app"))
	for range 2 {
		w.Advance(10 * time.Second)
		w.Sample("a", 800)
	}
	watched := w.Ledger.Observations()
	if len(watched) != 1 || watched[0].Namespace != "tenant" || watched[0].Pod != "p" || watched[0].Node != "a" {
		t.Errorf("watched %+v, want the pull for pod p of namespace tenant on node a", watched)
	}
}
