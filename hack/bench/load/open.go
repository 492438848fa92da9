// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package load

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// maxInFlight bounds the requests that wait for an answer: what a server does not answer is not to fill the memory. Requests
// that are due meanwhile are sent late, and counted from when they were due.
const maxInFlight = 2000

// Steady calls ask at a rate, a second, for d, whatever becomes of the calls before.
func Steady(ctx context.Context, rate float64, d time.Duration, ask func(context.Context) error) (*Outcome, error) {
	t, err := open(ctx, rate, d, ask)
	if err != nil {
		return nil, err
	}
	return new(t.outcome()), nil
}

// open is the open loop.
func open(ctx context.Context, rate float64, d time.Duration, ask func(context.Context) error) (*tally, error) {
	if rate <= 0 {
		return nil, fmt.Errorf("an open loop needs a rate, got %v", rate)
	}
	// A timer of the runtime comes up to a millisecond late while the process is otherwise idle: as long as an answer takes.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0); err != nil {
		return nil, fmt.Errorf("ask for exact timers: %w", err)
	}
	t, inFlight := &tally{}, make(chan struct{}, maxInFlight)
	var wait sync.WaitGroup
	s := schedule{start: time.Now().Add(time.Millisecond), rate: rate}
	for i := range s.count(d) {
		due := s.due(i)
		if err := sleepUntil(due); err != nil {
			return nil, err
		}
		inFlight <- struct{}{}
		if ctx.Err() != nil {
			break
		}
		t.lateness = append(t.lateness, time.Since(due))
		wait.Go(func() {
			err := ask(ctx)
			t.add(time.Since(due), err)
			<-inFlight
		})
	}
	wait.Wait()
	return t, nil
}

// sleepUntil blocks the thread.
func sleepUntil(due time.Time) error {
	for {
		left := time.Until(due)
		if left <= 0 {
			return nil
		}
		request := unix.NsecToTimespec(left.Nanoseconds())
		if err := unix.Nanosleep(&request, nil); err != nil && !errors.Is(err, unix.EINTR) {
			return fmt.Errorf("sleep: %w", err)
		}
	}
}
