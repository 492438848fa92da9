// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

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
	leastBytes = 64 << 20
	// usualBytes is how much may be used, with all that is held, by garbage of Go's own 100 percent: each search of a large heap
	// costs as much as a thousand requests. That much, a cluster of 15,000 nodes may take.
	usualBytes   = 208 << 20
	usualPercent = 100
	// The first lists of a large cluster are gigabytes of objects of which little is kept: as long as they come, garbage may take up
	// to firstListsBytes with all that is held, so that it need not be looked for a hundred times.
	firstListsBytes = 256 << 20
	// mostPercent bounds both where hardly anything is held.
	mostPercent = 400
	// How often it is looked at how much is held: while the first lists come, and afterwards.
	garbageSoon, garbageLater = 100 * time.Millisecond, 10 * time.Second
)

// DefaultGarbagePercent is how much garbage there may be in a large process, in percent of what is held.
const DefaultGarbagePercent = 40

// Garbage says when to look for garbage. Most of what a process holds, it holds for hours: at Go's own 100 percent it takes about
// twice that of memory, which is too much where much is held. The environment variable GOGC wins over it. It is a runnable.
type Garbage struct {
	// Percent is how much garbage there may be, in percent of what is held, where that comes to more than 208 MiB. Below, there may
	// be as much as is held, or 64 MiB.
	Percent int
	// Synced reports whether the first lists are in.
	Synced func() bool
}

// Start implements manager.Runnable: it adapts until ctx ends.
func (g Garbage) Start(ctx context.Context) error {
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
		if g.Synced() {
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
func (g Garbage) during(heldBytes uint64) int {
	return max(g.after(heldBytes), percentOf(firstListsBytes-float64(heldBytes), heldBytes))
}

// after is the percentage from then on.
func (g Garbage) after(heldBytes uint64) int {
	usual := min(percentOf(usualBytes-float64(heldBytes), heldBytes), usualPercent)
	return max(g.Percent, percentOf(leastBytes, heldBytes), usual)
}

func percentOf(bytes float64, heldBytes uint64) int {
	return int(min(100*bytes/max(float64(heldBytes), 1), mostPercent))
}
