// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package registry

import "sync"

const (
	// defaultStoreBytes bounds a store that nobody gave another bound.
	defaultStoreBytes = 32 << 20
	// factBytes is what a fact is taken to be, its key included.
	factBytes = 256
)

// Store remembers what registries told that can't change: documents by their digest,
// and what was learned of layers. It is safe for concurrent use.
type Store struct {
	maxBytes int64
	path     string      // "" for a store that ends with the process
	failed   func(error) // is told why the file can't be written

	mu     sync.Mutex
	bodies *lru[string, stored] // by repository@digest
	bytes  int64                // of bodies, their keys included
	facts  *lru[string, fact]   // by host@digest
	dirty  bool                 // the file is behind
	silent bool                 // failed was told already
}

// stored is a body and its key.
type stored struct {
	key  string
	body []byte
}

func newStore(maxBytes int64) *Store {
	return &Store{maxBytes: maxBytes, bodies: newLRU[string, stored](), facts: newLRU[string, fact]()}
}

// body returns a document, which nobody may change.
func (s *Store) body(key string) ([]byte, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d, found := s.bodies.get(key)
	return d.body, found
}

func (s *Store) has(key string) bool {
	_, found := s.body(key)
	return found
}

// keepBody remembers a document, and forgets those used longest ago. Three quarters
// of the store are for documents.
func (s *Store) keepBody(key string, body []byte) {
	size := int64(len(key) + len(body))
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, known := s.bodies.get(key); known || size > s.maxBytes/16 {
		return
	}
	s.bodies.set(key, stored{key, body})
	s.bytes += size
	s.dirty = true
	for s.bytes > s.maxBytes/4*3 {
		for _, old := range s.bodies.trim(s.bodies.len()-1, func(stored) bool { return false }) {
			s.bytes -= int64(len(old.key) + len(old.body))
		}
	}
}

func (s *Store) fact(key string) (fact, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.facts.get(key)
}

func (s *Store) knows(key string) bool {
	_, found := s.fact(key)
	return found
}

func (s *Store) keepFact(key string, f fact) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.facts.set(key, f)
	s.dirty = true
	s.facts.trim(max(1, int(s.maxBytes/4/factBytes)), func(fact) bool { return false })
}
