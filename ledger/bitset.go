// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"math/bits"
	"slices"
)

// bitset holds small numbers.
type bitset []uint64

func (b bitset) has(i int) bool {
	return i/64 < len(b) && b[i/64]&(1<<(i%64)) != 0
}

// last is the greatest that is set, -1 for none.
func (b bitset) last() int {
	for i, word := range slices.Backward(b) {
		if word != 0 {
			return i*64 + bits.Len64(word) - 1
		}
	}
	return -1
}

// set writes bit i and returns by how much the number of bits has changed.
func (b *bitset) set(i int, on bool) int {
	if b.has(i) == on {
		return 0
	}
	if more := i/64 + 1 - len(*b); more > 0 {
		*b = append(*b, make(bitset, more)...)
	}
	(*b)[i/64] ^= 1 << (i % 64)
	if on {
		return 1
	}
	return -1
}
