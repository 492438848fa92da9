// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"context"
	"maps"
	"slices"

	"github.com/headroom-dev/headroom/imagesize"
)

func (r *Resolver) work(ctx context.Context, later <-chan *entry) {
	for {
		e := r.following(ctx, later)
		if e == nil {
			return
		}
		platforms := r.begin(e)
		if len(platforms) == 0 {
			continue // It was in both queues.
		}
		answers := r.ask(ctx, e, platforms)
		if ctx.Err() != nil {
			return // That is why it failed: no answer.
		}
		r.finish(e, answers)
	}
}

// following returns what to ask for next, nil when ctx ends.
func (r *Resolver) following(ctx context.Context, later <-chan *entry) *entry {
	select {
	case e := <-r.queue:
		return e
	default:
	}
	select {
	case <-ctx.Done():
		return nil
	case e := <-r.queue:
		return e
	case e := <-later:
		return e
	}
}

// begin takes an entry out of the queues and returns what is wanted of it.
func (r *Resolver) begin(e *entry) []imagesize.Platform {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !e.waiting {
		return nil
	}
	e.waiting = false
	return slices.Collect(maps.Keys(e.wanted))
}

// isSpare says that nobody waits for an entry.
func (r *Resolver) isSpare(e *entry) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return e.spare
}

// promote lets an entry that somebody waits for now overtake. mu is held.
func (r *Resolver) promote(e *entry) {
	e.spare = false
	if !e.waiting {
		return
	}
	select {
	case r.queue <- e:
	default: // It keeps its place in the other queue.
	}
}

// enqueue hands an entry to the workers if something is wanted of it. mu is held.
func (r *Resolver) enqueue(e *entry) bool {
	if e.busy || len(e.wanted) == 0 {
		return true
	}
	queue := r.queue
	if e.spare {
		queue = r.later
	}
	select {
	case queue <- e:
		e.busy, e.waiting = true, true
		return true
	default:
		if !e.spare {
			r.counts[Dropped]++
		}
		clear(e.wanted)
		return false
	}
}
