// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fit

import (
	"testing"
)

func (s *shelf[T]) find(hash uint64) *T {
	for place, to := s.set(hash); place < to; place++ {
		if v := s.at(place, hash); v != nil {
			return v
		}
	}
	return nil
}

// Whatever their hashes, as many kinds as there are places are not in each other's way; one more takes the place of one that
// nobody has asked for of late.
func TestShelf(t *testing.T) {
	const ways = 8
	s := newShelf[int](2, ways)
	for i := range ways {
		s.put(uint64(i), &i) // all in the first set
	}
	asked := func(from, to int) {
		t.Helper()
		for i := from; i < to; i++ {
			if v := s.find(uint64(i)); v == nil || *v != i {
				t.Fatalf("%d is not there, though all have a place", i)
			}
		}
	}
	asked(0, ways)
	other := uint64(1) << 33
	s.put(other, new(100))
	if asked(0, ways); s.find(other) == nil {
		t.Error("one in another set is not there, or has taken a place in the first")
	}
	for i := range s.asked {
		s.asked[i].Store(false)
	}
	asked(1, ways) // but not for the first
	s.put(ways, new(ways))
	if asked(1, ways+1); s.find(0) != nil {
		t.Error("what nobody asked for has kept its place")
	}
	n := s.next(func(v *int) *int {
		if *v%2 == 0 {
			return nil
		}
		return v
	})
	for i := 1; i <= ways; i++ {
		if found := n.find(uint64(i)) != nil; found != (i%2 == 1) {
			t.Errorf("%d is on the next shelf: %v", i, found)
		}
	}
}
