// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package synthapi

import (
	"math/rand/v2"
	"slices"
)

// Faults are what goes wrong with a resource's watches and lists, by chance. Counts are means; 0 is never. The zero value is
// a server without faults. Watches that have begun keep the faults that they began with.
type Faults struct {
	// Seed decides when something goes wrong.
	Seed uint64
	// CloseEvery, BreakEvery and ExpireEvery are after how many events a watch ends: by itself; in the middle of an event; with
	// 410 Gone.
	CloseEvery, BreakEvery, ExpireEvery int
	// RepeatEvery is after how many events one is sent twice.
	RepeatEvery int
	// Reorder is how many events that follow each other change places; those of one object keep their order.
	Reorder int
	// ReorderObjects has those of one object change places, too, so that old states come last. No server does that, and no
	// client can know.
	ReorderObjects bool
	// BreakListEvery is one of how many lists, streamed or not, breaks in the middle.
	BreakListEvery int
	// ExpireContinueEvery is one of how many continue tokens is too old.
	ExpireContinueEvery int
	// BytesPerSecond bounds each watch; 0 does not.
	BytesPerSecond int
}

// faulty are the faults of one watch.
type faulty struct {
	Faults

	random *rand.Rand
	// ordered is whether what follows comes in the order of versions: a watch ends nowhere else, as its client goes on from the
	// last version that it has seen.
	ordered bool
}

// SetFaults says what goes wrong from now on with a resource.
func (s *Server) SetFaults(resource string, f Faults) {
	s.faultsMu.Lock()
	defer s.faultsMu.Unlock()
	s.faults[resource] = f
}

func (s *Server) faultsFor(c *collection) *faulty {
	s.faultsMu.Lock()
	defer s.faultsMu.Unlock()
	f := s.faults[c.name]
	s.drawn++
	return &faulty{Faults: f, random: rand.New(rand.NewPCG(f.Seed, s.drawn))} //nolint:gosec // chance, not secrecy
}

func (s *Server) goneContinue(c *collection) bool {
	f := s.faultsFor(c)
	return f.one(f.ExpireContinueEvery)
}

// one is true once in n times.
func (f *faulty) one(n int) bool { return n > 0 && f.random.IntN(n) == 0 }

// due reports how the watch ends before the next event, 0 for not.
func (f *faulty) due() Ending {
	if f.Reorder > 1 && !f.ordered {
		return 0
	}
	f.ordered = false
	switch {
	case f.one(f.CloseEvery):
		return Closed
	case f.one(f.BreakEvery):
		return Broken
	case f.one(f.ExpireEvery):
		return Expired
	default:
		return 0
	}
}

// window is how many events are looked at together.
func (f *faulty) window(most int) int {
	if f.Reorder > 1 {
		return min(most, f.Reorder)
	}
	return most
}

// arranged are events as they are sent: some twice, some before others.
func (f *faulty) arranged(c *collection, events []event) []event {
	f.ordered = true
	if f.RepeatEvery > 0 {
		var twice []event
		for _, e := range events {
			twice = append(twice, e)
			if f.one(f.RepeatEvery) {
				twice = append(twice, e)
			}
		}
		events = twice
	}
	if f.Reorder < 2 {
		return events
	}
	moved := slices.Clone(events)
	f.random.Shuffle(len(moved), func(i, k int) { moved[i], moved[k] = moved[k], moved[i] })
	if f.ReorderObjects {
		return moved
	}
	// The places that an object's events have come to are taken in their old order.
	queues := map[string][]event{}
	name := func(e *event) string { namespace, name := c.keyOf(&e.item); return keyOf(namespace, name) }
	for i := range events {
		queues[name(&events[i])] = append(queues[name(&events[i])], events[i])
	}
	for i := range moved {
		key := name(&moved[i])
		moved[i], queues[key] = queues[key][0], queues[key][1:]
	}
	return moved
}

// End makes all watches of a resource that there are now end in a way.
func (s *Server) End(resource string, how Ending) {
	c := s.world.collections[resource]
	c.world.mu.Lock()
	defer c.world.mu.Unlock()
	c.cut.how = how
	close(c.cut.made)
	c.cut = newCut()
}

// cut ends the watches that began before it was made.
type cut struct {
	made chan struct{}
	how  Ending // set before made is closed
}

func newCut() *cut { return &cut{made: make(chan struct{})} }

// Compact forgets all versions of a resource but the newest: whoever goes on from an older one is told 410 Gone.
func (s *Server) Compact(resource string) {
	c := s.world.collections[resource]
	c.world.mu.Lock()
	defer c.world.mu.Unlock()
	c.log.drop(len(c.log.events))
	c.lists = nil
}
