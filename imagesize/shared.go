// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package imagesize

import "math/bits"

// maxShared bounds how many layers of an image are compared with those of others:
// docker's builder stops at 127. What lies above is taken for unshared.
const maxShared = 128

// LayerSet is a set of layers of one image, by their place from the bottom.
type LayerSet [maxShared / 64]uint64

// Has reports whether the layer at place i is in the set.
func (s LayerSet) Has(i int) bool { return i < maxShared && s[i/64]&(1<<(i%64)) != 0 }

// Add puts the layer at place i in; places past the bound are left out.
func (s *LayerSet) Add(i int) {
	if i < maxShared {
		s[i/64] |= 1 << (i % 64)
	}
}

// Len returns how many layers are in the set.
func (s LayerSet) Len() int {
	n := 0
	for _, word := range s {
		n += bits.OnesCount64(word)
	}
	return n
}

// Shared is what of one image's layers is somewhere else, too.
type Shared struct {
	// Chain is how many layers, from the bottom, have their snapshot there.
	Chain int
	// Blobs are the layers whose compressed form is there.
	Blobs LayerSet
}

// Or returns what is in one of the two.
func (s Shared) Or(o Shared) Shared {
	s.Chain = max(s.Chain, o.Chain)
	for i := range s.Blobs {
		s.Blobs[i] |= o.Blobs[i]
	}
	return s
}

// SharedWith returns what of m's layers a disk has that has o: snapshots as far up
// as both are the same from the bottom, and blobs wherever they stand in either.
func (m *Manifest) SharedWith(o *Manifest) Shared {
	var s Shared
	for s.Chain < min(len(m.Layers), len(o.Layers), maxShared) && m.Layers[s.Chain].ChainID != "" &&
		m.Layers[s.Chain].ChainID == o.Layers[s.Chain].ChainID {
		s.Chain++
	}
	for i := range m.Layers[:min(len(m.Layers), maxShared)] {
		digest := m.Layers[i].Digest
		if i < len(o.Layers) && o.Layers[i].Digest == digest {
			s.Blobs.Add(i)
			continue
		}
		for j := range o.Layers {
			if o.Layers[j].Digest == digest {
				s.Blobs.Add(i)
				break
			}
		}
	}
	return s
}

// SharedWithAll is SharedWith for all that a disk has. hasSnapshot and hasBlob say whether it has that of the layer at a place.
func (m *Manifest) SharedWithAll(hasSnapshot, hasBlob func(place int) bool) Shared {
	var s Shared
	compared := min(len(m.Layers), maxShared)
	for s.Chain < compared && m.Layers[s.Chain].ChainID != "" && hasSnapshot(s.Chain) {
		s.Chain++
	}
	for i := range compared {
		if hasBlob(i) {
			s.Blobs.Add(i)
		}
	}
	return s
}

// There is what a disk has already of an image that is to be pulled there. The zero
// value is nothing, for sure. It can be compared.
type There struct {
	// Sure is what images have that something there uses or is about to; Likely
	// adds images that the garbage collection could take away before; Possible adds
	// images that may or may not come. Each holds the one before.
	Sure, Likely, Possible Shared
	// HiddenBytes bounds the size of each image there whose layers nobody knows, and
	// HiddenTotalBytes all of them together, in the unit of the runtime:
	// math.MaxInt64 for no bound. They may share anything that is not larger.
	HiddenBytes, HiddenTotalBytes int64
	// Related says that another image of the same repository is there: without
	// layers, it may be nearly the same.
	Related bool
}

// All is what a disk has that has all of m's layers.
func All(m *Manifest) Shared {
	s := Shared{Chain: len(m.Layers)}
	for i := range m.Layers {
		s.Blobs.Add(i)
	}
	return s
}
