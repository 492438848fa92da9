// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package load

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"
)

func TestRequestsAreDueAtFixedTimes(t *testing.T) {
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	s := schedule{start: start, rate: 400}
	for i, want := range map[int]time.Duration{0: 0, 1: 2500 * time.Microsecond, 400: time.Second, 1_000_000: 2500 * time.Second} {
		if got := s.due(i).Sub(start); got != want {
			t.Errorf("request %d is due after %s, want %s", i, got, want)
		}
	}
	if got := s.count(1500 * time.Millisecond); got != 600 {
		t.Errorf("%d requests in 1.5 s, want 600", got)
	}
}

// The server answers nothing until all requests have been sent, which a generator that waits for answers would never do. Each
// request is then charged for the time since it was due.
func TestStallIsChargedToEveryRequestThatWasDueMeanwhile(t *testing.T) {
	const rate, length = 500, 200 * time.Millisecond
	var sent atomic.Int64
	all := make(chan struct{})
	outcome, err := Steady(t.Context(), rate, length, func(context.Context) error {
		if sent.Add(1) == 100 {
			close(all)
		}
		<-all
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if outcome.Requests != 100 || outcome.Errors != 0 || outcome.Lateness == nil {
		t.Errorf("got %+v, want 100 requests", outcome)
	}
	// The first was due 198 ms before the last one, the 50th from the end 98 ms.
	if got := outcome.Latency.Max; got < 198e3 {
		t.Errorf("the longest took %.0f µs, want at least 198,000", got)
	}
	if got := outcome.Latency.P50; got < 98e3 {
		t.Errorf("the median is %.0f µs, want at least 98,000", got)
	}
}

func TestErrorsAreCountedAndTheFirstIsKept(t *testing.T) {
	var calls atomic.Int64
	outcome, err := Steady(t.Context(), 1000, 10*time.Millisecond, func(context.Context) error {
		if calls.Add(1)%2 == 0 {
			return errors.New("refused")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if outcome.Requests != 10 || outcome.Errors != 5 || outcome.Error != "refused" {
		t.Errorf("got %+v, want 5 of 10 refused", outcome)
	}
	if _, err := Steady(t.Context(), 0, time.Second, nil); err == nil {
		t.Error("no requests a second are taken for a rate")
	}
}
