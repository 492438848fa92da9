// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"sync"
	"time"
)

const (
	// sendBackQueue is how many SentBack Events may wait: more than a scheduler has pods sent back in a moment, and a second or
	// two of an API server's work.
	sendBackQueue = 1024
	// sendBackWriters write at a time, so that one namespace whose Events are slow to write does not hold up the others.
	sendBackWriters = 4
	// sendBackDoubt is for how long nothing is sent back in a namespace after an Event could not be written there.
	sendBackDoubt = time.Minute
	// maxDoubted bounds the namespaces of which that is remembered.
	maxDoubted = 10_000
)

// sendBackEvents writes the Events that say that a pod was sent back. They are its count, and so, unlike others, they have a
// queue that nothing else fills, and somebody who looks whether they arrive. That is known for each namespace: where a quota
// is used up, others need not suffer from it.
type sendBackEvents struct {
	events *Events
	now    func() time.Time

	mu      sync.Mutex // guards doubted
	doubted *recent[string, time.Time]
}

func newSendBackEvents(events *Events, now func() time.Time) *sendBackEvents {
	s := &sendBackEvents{now: now, doubted: newRecent[string, time.Time](maxDoubted, nil)}
	s.events = events.apart(sendBackQueue, s.tried)
	return s
}

// run writes until ctx ends.
func (s *sendBackEvents) run(ctx context.Context) {
	var writers sync.WaitGroup
	for range sendBackWriters {
		writers.Go(func() { _ = s.events.Start(ctx) }) // It never fails.
	}
	writers.Wait()
}

// ready reports whether an Event of the namespace would be taken, and likely written. It stays true while only one goroutine
// gives Events.
func (s *sendBackEvents) ready(namespace string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	failed, known := s.doubted.get(namespace)
	return (!known || s.now().Sub(failed) >= sendBackDoubt) && len(s.events.queue) < cap(s.events.queue)
}

// take takes an Event to be written, and reports whether there was room.
func (s *sendBackEvents) take(e Event) bool { return s.events.offer(e) }

// tried takes in how an attempt to write ended: already the first one that fails is reason to doubt.
func (s *sendBackEvents) tried(e Event, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		s.doubted.remove(e.About.Namespace)
		return
	}
	s.doubted.set(e.About.Namespace, s.now())
}
