// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"runtime/debug"
	"time"

	"github.com/headroom-dev/headroom/fit"
	"github.com/headroom-dev/headroom/ledger"
	"github.com/headroom-dev/headroom/policy"
)

// fleetMade is a fleet that was made beside the one in force: to take in which pods wait may take long, and what happens to nodes
// does not wait for it.
type fleetMade struct {
	fleet *fit.Fleet
	of    *ledger.Snapshot
	began time.Time
	took  time.Duration
	// failed is what went wrong, nil for nothing.
	failed error
}

// makeBeside makes one that comes after a fleet, which must not be nil.
func (k *fleetKeeper) makeBeside(before *fit.Fleet, s *ledger.Snapshot, p *policy.Policy, now time.Time) {
	k.made = make(chan fleetMade, 1)
	go func(made chan<- fleetMade) {
		m := fleetMade{of: s, began: now}
		defer func() {
			if broken := recover(); broken != nil {
				m.failed = panicked(broken)
			}
			made <- m
		}()
		m.fleet = before.Next(s, p, now)
		m.took = time.Since(now)
	}(k.made)
}

// adopt goes on with what was made beside, if that is ready.
func (k *fleetKeeper) adopt() error {
	select {
	case m := <-k.made:
		k.made = nil
		if m.failed != nil {
			return m.failed
		}
		k.latest, k.taken = m.fleet, m.of
		k.current.Store(m.began.UnixNano())
		k.waitingDue = m.began.Add(min(waitingShare*m.took, waitingRarely))
		k.seconds.Observe(m.took.Seconds())
	default:
	}
	return nil
}

// panicked is what recover returns, as an error with the stack.
func panicked(broken any) error { return fmt.Errorf("panic: %v\n%s", broken, debug.Stack()) }
