// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"time"

	"github.com/headroom-dev/headroom/imagesize"
)

// finish writes down what was found, tells the sink, wakes those who wait, and
// forgets what was not used for longest.
func (r *Resolver) finish(e *entry, answers map[imagesize.Platform]answer) {
	r.sinkMu.Lock()
	defer r.sinkMu.Unlock()
	now := r.o.Now()
	var calls []func()
	r.mu.Lock()
	for p, a := range answers {
		delete(e.wanted, p)
		calls = append(calls, r.record(e, p, a, now)...)
	}
	e.busy = false
	for _, old := range r.entries.trim(r.o.CacheEntries, func(e *entry) bool { return e.busy }) {
		for p, v := range old.answers {
			if v.err == nil {
				calls = append(calls, func() { r.sink.DeleteManifest(old.ref, p) })
			}
		}
	}
	if _, kept := r.entries.byKey[e.ref]; kept {
		// Other platforms may have been wanted meanwhile.
		r.enqueue(e)
	}
	changed := r.changed
	r.changed = make(chan struct{})
	r.mu.Unlock()
	for _, call := range calls {
		call()
	}
	// The sink knows before those who wait look at it.
	close(changed)
}

// record writes one answer down and returns what to tell the sink. mu is held.
func (r *Resolver) record(e *entry, p imagesize.Platform, a answer, now time.Time) []func() {
	old := e.answers[p]
	switch {
	case a.err == nil:
		r.counts[Resolved]++
		e.answers[p] = &verdict{answer: a}
		r.expire(e, p, old, now)
		return []func(){func() { r.sink.SetManifest(e.ref, p, a.manifest) }}
	case a.err.putOff:
		if old == nil {
			old = &verdict{answer: a}
			e.answers[p] = old
		}
		old.until = a.err.until
		return nil
	}
	r.counts[a.err.Outcome]++
	failures := 1
	if old != nil {
		failures = old.failures + 1
	}
	until := r.backoff(now, failures-1)
	if a.err.until.After(until) {
		until = a.err.until
	}
	if old != nil && old.err == nil && a.err.temporary() {
		// What was read a while ago is better than nothing.
		old.until, old.failures = until, failures
		return nil
	}
	e.answers[p] = &verdict{answer: a, until: until, failures: failures}
	if old != nil && old.err == nil {
		return []func(){func() { r.sink.DeleteManifest(e.ref, p) }}
	}
	return nil
}

// expire sets how long a size stands. That of a digest does for ever, unless layers
// could not be read that may be there later. mu is held.
func (r *Resolver) expire(e *entry, p imagesize.Platform, old *verdict, now time.Time) {
	v := e.answers[p]
	if e.ref.Digest() == "" {
		v.until = now.Add(r.o.TagTTL)
	}
	if !v.again {
		return
	}
	if old != nil && old.again {
		v.failures = old.failures
	}
	if until := r.backoff(now, v.failures); v.until.IsZero() || until.Before(v.until) {
		v.until = until
	}
	v.failures++
}

// backoff is when to ask again after so many failures before: after 1, 2, 4, 8 and
// then each 16 times NegativeTTL.
func (r *Resolver) backoff(now time.Time, failures int) time.Time {
	return now.Add(r.o.NegativeTTL << min(failures, 4))
}

// tell tells the sink what is known of an image while its layers are being read,
// unless it knows as much of the same image from before.
func (r *Resolver) tell(e *entry, p imagesize.Platform, m imagesize.Manifest) {
	r.sinkMu.Lock()
	defer r.sinkMu.Unlock()
	r.mu.Lock()
	old := e.answers[p]
	r.mu.Unlock()
	if old == nil || old.err != nil || old.manifest.ImageDigest != m.ImageDigest {
		r.sink.SetManifest(e.ref, p, m)
	}
}

// retry asks again for what failed for a reason that may have passed.
func (r *Resolver) retry() {
	now := r.o.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.entries.all(func(e *entry) {
		if e.busy || now.Sub(e.lastWanted) > interest || !r.listed(e.ref.Host()) {
			return
		}
		for p, v := range e.answers {
			if ((v.err != nil && v.err.temporary()) || v.again) && e.due(p, now, e.spare) {
				e.wanted[p] = true
			}
		}
		r.enqueue(e)
	})
}
