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

// The first lists of a large cluster are gigabytes of objects of which little is kept: as long as they come, garbage may take up
// to firstListsBytes with all that is held, so that it need not be looked for a hundred times.
const firstListsBytes, firstListsPercent = 320 << 20, 400

// garbage says when to look for garbage. Most of what a process holds, it holds for hours: at Go's own 100 percent it takes about
// twice that of memory. It is a runnable.
type garbage struct {
	percent int
	synced  func() bool
}

// Start adapts until the first lists are in, and keeps to the percentage from then on.
func (g garbage) Start(ctx context.Context) error {
	if _, set := os.LookupEnv("GOGC"); set {
		return nil
	}
	defer debug.SetGCPercent(g.percent)
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for now := 0; !g.synced(); {
		held := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
		metrics.Read(held)
		if next := g.during(held[0].Value.Uint64()); next != now {
			now = next
			debug.SetGCPercent(now)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
	return nil
}

// during is the percentage while the first lists come and so much is held.
func (g garbage) during(heldBytes uint64) int {
	room := (firstListsBytes - float64(heldBytes)) / max(float64(heldBytes), 1)
	return max(g.percent, int(min(100*room, firstListsPercent)))
}
