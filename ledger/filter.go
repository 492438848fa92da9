// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"hash/maphash"
	"math/bits"

	"github.com/headroom-dev/headroom/imageref"
)

// filter says quickly, for most names that are not in a set, that they are not (a
// Bloom filter). Nearly all images that somebody wants are on hardly any node, so
// that most questions end here. It never changes; nil holds nothing.
type filter []uint64

// filterBitsPerName makes a "maybe" of one answer in a hundred that should be no.
const filterBitsPerName = 20

// newFilter takes the names' hashes.
func newFilter(hashes []uint64) filter {
	if len(hashes) == 0 {
		return nil
	}
	words := (len(hashes)*filterBitsPerName + 63) / 64
	f := make(filter, 1<<bits.Len(uint(words-1)))
	for _, h := range hashes {
		f[f.word(h)] |= 1 << (h & 63)
		f[f.word(h>>32)] |= 1 << (h >> 6 & 63)
	}
	return f
}

// word is where a hash's bit is; the length is a power of two.
func (f filter) word(h uint64) uint64 { return h >> 12 & (uint64(len(f)) - 1) }

// mayHold reports whether a name with this hash may be in the set. False is sure.
func (f filter) mayHold(h uint64) bool {
	return len(f) > 0 && f[f.word(h)]&(1<<(h&63)) != 0 && f[f.word(h>>32)]&(1<<(h>>6&63)) != 0
}

// nameHash is the hash by which every set that knows the image by this name or by
// its digest can be asked: with a digest, such a set has the digest alone, too.
func nameHash(seed maphash.Seed, ref imageref.Ref) uint64 {
	if digest := ref.Digest(); digest != "" {
		return maphash.String(seed, digest)
	}
	return maphash.String(seed, ref.String())
}
