// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"hash/maphash"
	"runtime"
	"sync"
	"weak"
)

// interned finds the one copy of values that many objects have, by a hash of what they are made of, for as long as somebody has it:
// pods that come and go, each of another template and as large as can be, must not add up. That the hashes of two values are the
// same is as good as impossible: nobody knows the seed.
type interned[T any] struct {
	seed maphash.Seed

	mu    sync.Mutex
	known map[uint64]weak.Pointer[T]
}

func newInterned[T any]() *interned[T] {
	return &interned[T]{seed: maphash.MakeSeed(), known: make(map[uint64]weak.Pointer[T])}
}

// of returns the value with that hash, which it makes if nobody has it.
func (s *interned[T]) of(hash uint64, build func() *T) *T {
	s.mu.Lock()
	defer s.mu.Unlock()
	value := s.known[hash].Value()
	if value == nil {
		value = build()
		s.add(hash, value)
	}
	return value
}

// get returns the value with that hash, nil if nobody has it.
func (s *interned[T]) get(hash uint64) *T {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.known[hash].Value()
}

// keep has a value found by that hash, which may be found by others, too.
func (s *interned[T]) keep(hash uint64, value *T) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known[hash].Value() == nil {
		s.add(hash, value)
	}
}

// add is keep for a hash of nothing. The caller holds mu.
func (s *interned[T]) add(hash uint64, value *T) {
	pointer := weak.Make(value)
	s.known[hash] = pointer
	runtime.AddCleanup(value, func(hash uint64) { s.forget(hash, pointer) }, hash)
}

// forget takes out a value that nobody has any more, unless by now there is another one of that hash.
func (s *interned[T]) forget(hash uint64, gone weak.Pointer[T]) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known[hash] == gone {
		delete(s.known, hash)
	}
}

func (s *interned[T]) len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.known)
}
