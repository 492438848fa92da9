// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package ledger

import "slices"

const (
	// listedWords is enough for the names of 50 images, two of each: one answer in a hundred is a "maybe" that should be no.
	listedWords = 1 << 10
	// usedWords is enough for what is pulled at the same time.
	usedWords = 1 << 8
)

// Sieve tells at once which of up to 64 nodes may have an image, or a pod that uses it: a Bloom filter for each of them, side by
// side, so that a word has one bit of each. The zero value has no nodes.
type Sieve struct {
	// listed are the names in the nodes' lists, which seldom change, and used those that only their pods use.
	listed *[listedWords]uint64
	used   *[usedWords]uint64
	// ownListed and ownUsed say that nobody else has them.
	ownListed, ownUsed bool
}

// Shared returns the same sieve, which copies before it changes what s has, too.
func (s Sieve) Shared() Sieve {
	s.ownListed, s.ownUsed = false, false
	return s
}

// Put puts a row at a place, where before was, the zero value for none.
func (s *Sieve) Put(at int, before, id RowID) {
	bit := uint64(1) << at
	r := id.row
	if before.row == nil || before.row.list != r.list {
		s.listed, s.ownListed = writable(s.listed, s.ownListed), true
		for i := range s.listed {
			s.listed[i] &^= bit
		}
		for _, image := range r.list.images {
			for _, hash := range image.hashes {
				for probe := range probes {
					s.listed[hash>>(probe*11)%listedWords] |= bit
				}
			}
		}
	} else if slices.Equal(before.row.facts.unlisted, r.facts.unlisted) {
		return
	}
	s.used, s.ownUsed = writable(s.used, s.ownUsed), true
	for i := range s.used {
		s.used[i] &^= bit
	}
	for _, hash := range r.facts.unlisted {
		for probe := range probes {
			s.used[hash>>(probe*11)%usedWords] |= bit
		}
	}
}

// probes is how many bits a name sets.
const probes = 4

// writable returns an array that nobody else has.
func writable[T any](known *T, own bool) *T {
	switch {
	case own:
		return known
	case known == nil:
		return new(T)
	default:
		return new(*known)
	}
}

// mayHold returns the places of which a node may have the image with that nameHash, or a pod that uses it. Others certainly don't.
func (s *Sieve) mayHold(hash uint64) uint64 {
	if s.listed == nil {
		return 0
	}
	listed, used := ^uint64(0), ^uint64(0)
	for probe := range probes {
		listed &= s.listed[hash>>(probe*11)%listedWords]
		used &= s.used[hash>>(probe*11)%usedWords]
	}
	return listed | used
}
