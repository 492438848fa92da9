// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"hash/maphash"
	"slices"

	"github.com/headroom-dev/headroom/imageref"
)

// maxResized is how many changes of what is known of images' sizes are remembered.
const maxResized = 256

// resizes are the last changes of what is known of images' sizes: the hashes of names and of digests, the newest last. It never
// changes.
type resizes struct {
	count  uint64 // of all there ever were
	latest []uint64
}

// resize notes that what is known of an image's size changes.
func (l *Ledger) resize(hash uint64) {
	r := &l.next.resizes
	if len(r.latest) >= 2*maxResized {
		r.latest = slices.Clone(r.latest[len(r.latest)-maxResized:])
	}
	r.count, r.latest = r.count+1, append(r.latest, hash)
}

// Resized are images of which something else is known than before, to whomever it matters: what a node has of them, or is
// to get.
type Resized struct {
	seed   maphash.Seed
	hashes []uint64 // sorted
	all    bool
}

// ResizedSince returns the images of which something else is known than in an earlier snapshot of the same ledger.
func (s *Snapshot) ResizedSince(before *Snapshot) Resized {
	changes := s.resizes.count - before.resizes.count
	if changes > uint64(len(s.resizes.latest)) || !s.observed.same(before.observed) || s.lessons != before.lessons || !slices.Equal(s.platforms, before.platforms) {
		return Resized{all: true}
	}
	hashes := slices.Clone(s.resizes.latest[uint64(len(s.resizes.latest))-changes:])
	slices.Sort(hashes)
	return Resized{seed: s.seed, hashes: slices.Compact(hashes)}
}

// None reports whether there are no such images, and All whether any may be one.
func (r *Resized) None() bool { return !r.all && len(r.hashes) == 0 }

// All is explained at None.
func (r *Resized) All() bool { return r.all }

// Has reports whether the image is one of them.
func (r *Resized) Has(ref imageref.Ref) bool {
	return r.all || len(r.hashes) > 0 && r.has(nameHash(r.seed, ref))
}

func (r *Resized) has(hash uint64) bool {
	_, found := slices.BinarySearch(r.hashes, hash)
	return r.all || found
}

// MayHold returns the places of which a node may have one of the images, or a pod that uses one. Others certainly don't.
func (s *Sieve) MayHold(images *Resized) (places uint64) {
	if images.all {
		return ^uint64(0)
	}
	for _, hash := range images.hashes {
		places |= s.mayHold(hash)
	}
	return places
}
