// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"math/bits"
	"slices"
)

// nameTable finds the entries of a list by the hashes of their names, and tells of most names, and of most repositories, that no
// entry has them without a look at any. Where a hash or one of those before it would be (open addressing), it has the place in the
// list, counted from 1, and what bits are left of its own to tell it from others. It never changes.
type nameTable []uint16

// maxInTable is how many entries a table can tell apart. Longer lists are gone through.
const maxInTable = 1<<16 - 1

// newNameTable returns nil for a list that is too long, or has no names. Where two entries have one name, the later one counts.
func newNameTable(images []*listed) nameTable {
	names := 0
	for _, image := range images {
		names += len(image.hashes) + len(image.repositories)
	}
	if names == 0 || len(images) > maxInTable {
		return nil
	}
	t := make(nameTable, names+names/2+1) // so that one is free
	for i, image := range slices.Backward(images) {
		for _, hash := range image.hashes {
			t.add(len(images), i, hash)
		}
		for _, hash := range image.repositories {
			t.add(len(images), i, hash)
		}
	}
	return t
}

// markOf is what tells a hash from others in a table of so many entries, beside places, which are in the bits of the mask.
func markOf(entries int, hash uint64) (mark, mask uint16) {
	width := bits.Len(uint(entries))
	return uint16(hash) << width, uint16(1)<<width - 1 //nolint:gosec // any bits will do
}

func (t nameTable) add(entries, place int, hash uint64) {
	mark, _ := markOf(entries, hash)
	slot := t.slot(hash)
	for t[slot] != 0 {
		slot = t.after(slot)
	}
	t[slot] = mark | uint16(place+1) //nolint:gosec // there are no more than maxInTable
}

func (t nameTable) slot(hash uint64) int {
	slot, _ := bits.Mul64(hash, uint64(len(t)))
	return int(slot) //nolint:gosec // less than len(t)
}

func (t nameTable) after(slot int) int {
	if slot++; slot == len(t) {
		return 0
	}
	return slot
}

// mayHold reports whether one of so many entries may have a name, or be of a repository, with that hash. False is sure.
func (t nameTable) mayHold(entries int, hash uint64) bool {
	mark, mask := markOf(entries, hash)
	for slot := t.slot(hash); t[slot] != 0; slot = t.after(slot) {
		if t[slot]&^mask == mark {
			return true
		}
	}
	return false
}

// find returns the place of the entry that has a name with that hash.
func (t nameTable) find(images []*listed, hash uint64) (place int, found bool) {
	mark, mask := markOf(len(images), hash)
	for slot := t.slot(hash); t[slot] != 0; slot = t.after(slot) {
		if t[slot]&^mask != mark {
			continue
		}
		if place = int(t[slot]&mask) - 1; images[place].has(hash) {
			return place, true
		}
	}
	return 0, false
}

func (l *listed) has(hash uint64) bool { return slices.Contains(l.hashes, hash) }
