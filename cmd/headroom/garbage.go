// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

const (
	// leastBytes is how much garbage there may be in any case: to look for it in a heap of a few megabytes many times a second costs
	// more than a process of that size is worth.
	leastBytes = 32 << 20
	// The first lists of a large cluster are gigabytes of objects of which little is kept: as long as they come, garbage may take up
	// to firstListsBytes with all that is held, so that it need not be looked for a hundred times.
	firstListsBytes = 256 << 20
	// mostPercent bounds both where hardly anything is held.
	mostPercent = 400
	// How often it is looked at how much is held: while the first lists come, and afterwards.
	garbageSoon, garbageLater = 100 * time.Millisecond, 10 * time.Second
)

// garbage says when to look for garbage. Most of what a process holds, it holds for hours: at Go's own 100 percent it takes about
// twice that of memory. It is a runnable.
type garbage struct {
	percent int
	synced  func() bool
}

// Start adapts until ctx ends.
func (g garbage) Start(ctx context.Context) error {
	if _, set := os.LookupEnv("GOGC"); set {
		return nil
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for now, later := 0, 0; ; {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		}
		held := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
		metrics.Read(held)
		next, again := g.during(held[0].Value.Uint64()), garbageSoon
		if g.synced() {
			next, again = g.after(held[0].Value.Uint64()), garbageLater
			later++
		}
		if next != now {
			now = next
			debug.SetGCPercent(now)
		}
		if later == 2 {
			// By now what follows from the first lists has been worked out, too. What they took besides is not needed again.
			debug.FreeOSMemory()
		}
		timer.Reset(again)
	}
}

// during is the percentage while the first lists come and so much is held.
func (g garbage) during(heldBytes uint64) int {
	return max(g.after(heldBytes), percentOf(firstListsBytes-float64(heldBytes), heldBytes))
}

// after is the percentage from then on.
func (g garbage) after(heldBytes uint64) int { return max(g.percent, percentOf(leastBytes, heldBytes)) }

func percentOf(bytes float64, heldBytes uint64) int {
	return int(min(100*bytes/max(float64(heldBytes), 1), mostPercent))
}
