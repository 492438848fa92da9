// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"context"
	"maps"

	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/imagesize"
)

// Wait asks for images and returns true once each has an answer for each
// platform: a size or a reason why there is none. By then the sink has been
// told. It returns false when ctx ends first, and at once when MaxWaiters calls
// are waiting or the queue is full.
func (r *Resolver) Wait(ctx context.Context, refs []imageref.Ref, platforms []imagesize.Platform) bool {
	if r.answered(refs, platforms) {
		return true
	}
	select {
	case r.waiters <- struct{}{}:
		defer func() { <-r.waiters }()
	default:
		return false
	}
	for {
		changed := r.next()
		for _, ref := range refs {
			if !r.answered([]imageref.Ref{ref}, platforms) && !r.want(ref, platforms, false) {
				return false
			}
		}
		if r.answered(refs, platforms) {
			return true
		}
		select {
		case <-ctx.Done():
			return false
		case <-changed:
		}
	}
}

// State says whether an image has an answer for a platform, and the error if
// that answer is no size. The error is an *Error.
func (r *Resolver) State(ref imageref.Ref, p imagesize.Platform) (answered bool, err error) {
	now, listed := r.o.Now(), r.listed(ref.Host())
	r.mu.Lock()
	defer r.mu.Unlock()
	if e, known := r.entries.get(ref); known {
		if v, known := e.answers[p]; known {
			switch {
			case v.err == nil:
				return true, nil
			case now.Before(v.until) && !v.err.putOff:
				return true, v.err
			}
		}
	}
	if !listed {
		return true, failure(DeniedHost, nil, "%s is not on the policy's list of registries", ref.Host())
	}
	return false, nil
}

func (r *Resolver) answered(refs []imageref.Ref, platforms []imagesize.Platform) bool {
	for _, ref := range refs {
		for _, p := range platforms {
			if answered, _ := r.State(ref, p); !answered {
				return false
			}
		}
	}
	return true
}

func (r *Resolver) next() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.changed
}

// Stats are numbers for metrics.
type Stats struct {
	// Outcomes counts answers since the start, every outcome included.
	Outcomes map[Outcome]uint64
	// Queued images wait for a worker, Later ones for a time when nothing else is wanted;
	// Remembered ones have an answer or are about to get one.
	Queued, Later, Remembered int
	// Waiting is the number of calls in Wait.
	Waiting int
}

// Stats returns the numbers as of now.
func (r *Resolver) Stats() Stats {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := Stats{
		Outcomes:   make(map[Outcome]uint64, len(Outcomes())),
		Queued:     len(r.queue),
		Later:      len(r.later),
		Remembered: r.entries.len(),
		Waiting:    len(r.waiters),
	}
	for _, o := range Outcomes() {
		s.Outcomes[o] = 0
	}
	maps.Copy(s.Outcomes, r.counts)
	return s
}
