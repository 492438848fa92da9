// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"fmt"
	"net/http"
	"testing"
	"time"
)

// remembered waits until nothing is in the queues or with a worker.
func (w world) settle(t *testing.T) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		busy := false
		w.mu.Lock()
		w.entries.all(func(e *entry) { busy = busy || e.busy })
		w.mu.Unlock()
		switch {
		case !busy:
			return
		case time.Now().After(deadline):
			t.Fatal("the queues don't empty")
		}
	}
}

func TestWhatNobodyWaitsForLeavesHalfOfTheBudget(t *testing.T) {
	handler, asked := counting(quietRegistry())
	w := start(t, handler, func(o *Options) {
		o.Budgets = map[string]Budget{"lab.test": {Burst: 8, Per: time.Hour}}
	})
	for i := range 7 {
		w.push(t, fmt.Sprintf("app:v%d", i), makeImage(t, 100))
	}
	for i := range 7 {
		w.WantLater(ref(t, fmt.Sprintf("lab.test/app:v%d", i)), amd64)
		w.settle(t)
	}
	if got := asked.of(http.MethodGet); got != 4 {
		t.Errorf("%d GETs on a budget of 8, want 4", got)
	}
	if n := w.Stats().Outcomes[RateLimited]; n != 0 {
		t.Errorf("%d images count as limited by a rate", n)
	}
	last := ref(t, "lab.test/app:v6")
	if answered, _ := w.State(last, amd64); answered {
		t.Error("what was put off counts as an answer")
	}
	// Somebody waits for it now.
	w.expect(t, last, amd64, Resolved)
	// The rest comes when half of the budget is there again, without being wanted again.
	w.clock.advance(time.Hour)
	w.retry()
	w.settle(t)
	w.expect(t, ref(t, "lab.test/app:v4"), amd64, Resolved)
	if got := asked.of(http.MethodGet); got < 6 {
		t.Errorf("%d GETs after an hour", got)
	}
}

func TestWhatSomebodyWaitsForOvertakes(t *testing.T) {
	w := stuck(t, func(o *Options) { o.Workers = 2 })
	for i := range 5 {
		w.WantLater(ref(t, fmt.Sprintf("lab.test/app:v%d", i)), amd64)
	}
	for w.Stats().Later != 4 {
		time.Sleep(time.Millisecond)
	}
	// One of two workers never takes what nobody waits for.
	w.Want(ref(t, "lab.test/app:v4"), amd64)
	for w.Stats().Queued > 0 {
		time.Sleep(time.Millisecond)
	}
	w.Want(ref(t, "lab.test/app:v3"), amd64)
	w.Want(ref(t, "lab.test/app:v3"), amd64)
	if s := w.Stats(); s.Queued != 1 || s.Later != 4 {
		t.Errorf("%d are waited for and %d are not, want 1 and 4", s.Queued, s.Later)
	}
}
