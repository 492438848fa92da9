// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fit

import "sync/atomic"

// shelf has places for what is remembered of one kind, by hash. They are in sets, of which the hash chooses one: whoever comes to
// a full set takes the place of one that nobody has asked for since it was last looked for one. Readers write to it, each what any
// other would.
type shelf[T any] struct {
	ways   int // places of a set
	hashes []atomic.Uint64
	values []atomic.Pointer[T]
	asked  []atomic.Bool
	hand   atomic.Uint32
}

func newShelf[T any](sets, ways int) *shelf[T] {
	n := sets * ways
	return &shelf[T]{ways: ways, hashes: make([]atomic.Uint64, n), values: make([]atomic.Pointer[T], n), asked: make([]atomic.Bool, n)}
}

// set returns the first place of a hash's set, and the first after it.
func (s *shelf[T]) set(hash uint64) (from, to int) {
	from = int(hash>>33) % (len(s.values) / s.ways) * s.ways
	return from, from + s.ways
}

// at returns what is at a place if it has that hash, and nil otherwise.
func (s *shelf[T]) at(place int, hash uint64) *T {
	if s.hashes[place].Load() != hash {
		return nil
	}
	if !s.asked[place].Load() {
		s.asked[place].Store(true)
	}
	return s.values[place].Load()
}

// again reports whether a hash has a place already, and gives it one, without a value, where it has none.
func (s *shelf[T]) again(hash uint64) bool {
	for place, to := s.set(hash); place < to; place++ {
		if s.hashes[place].Load() == hash {
			return true
		}
	}
	s.put(hash, nil)
	return false
}

// put finds a place for a value: the one that the hash has, or one of its set.
func (s *shelf[T]) put(hash uint64, value *T) {
	place := s.placeFor(hash)
	s.values[place].Store(value)
	s.hashes[place].Store(hash)
	s.asked[place].Store(true)
}

func (s *shelf[T]) placeFor(hash uint64) int {
	from, to := s.set(hash)
	for place := from; place < to; place++ {
		if s.hashes[place].Load() == hash {
			return place
		}
	}
	place := from
	for range 2 * s.ways {
		place = from + int(s.hand.Add(1))%s.ways
		if s.values[place].Load() == nil || !s.asked[place].Swap(false) {
			break
		}
	}
	return place
}

// next returns a shelf with what becomes of each value; nil forgets it.
func (s *shelf[T]) next(become func(*T) *T) *shelf[T] {
	n := newShelf[T](len(s.values)/s.ways, s.ways)
	n.hand.Store(s.hand.Load())
	for i := range s.values {
		v := s.values[i].Load()
		if v == nil {
			continue
		}
		if v = become(v); v != nil {
			n.values[i].Store(v)
			n.hashes[i].Store(s.hashes[i].Load())
			n.asked[i].Store(s.asked[i].Load())
		}
	}
	return n
}
