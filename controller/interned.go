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
	if value := s.known[hash].Value(); value != nil {
		return value
	}
	value := build()
	pointer := weak.Make(value)
	s.known[hash] = pointer
	runtime.AddCleanup(value, func(hash uint64) { s.forget(hash, pointer) }, hash)
	return value
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
