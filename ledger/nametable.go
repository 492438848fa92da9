// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"math/bits"
	"slices"
)

// nameTable finds the entries of a list by the hashes of their names: places in the list, counted from 1, where a hash or one of
// those before it would be (open addressing). It never changes.
type nameTable []uint16

// maxInTable is how many entries a table can tell apart. Longer lists are gone through.
const maxInTable = 1<<16 - 1

// newNameTable returns nil for a list that is too long. Where two entries have one name, the later one counts.
func newNameTable(images []*listed) nameTable {
	names := 0
	for _, image := range images {
		names += len(image.hashes)
	}
	if names == 0 || len(images) > maxInTable {
		return nil
	}
	t := make(nameTable, 1<<bits.Len(uint(names*3/2)))
	for i, image := range slices.Backward(images) {
		for _, hash := range image.hashes {
			slot := t.slot(hash)
			for t[slot] != 0 {
				slot = (slot + 1) & (len(t) - 1)
			}
			t[slot] = uint16(i + 1) //nolint:gosec // there are no more than maxInTable
		}
	}
	return t
}

func (t nameTable) slot(hash uint64) int { return int(hash>>20) & (len(t) - 1) }

// find returns the place of the entry that has a name with that hash.
func (t nameTable) find(images []*listed, hash uint64) (place int, found bool) {
	if len(t) == 0 {
		return 0, false
	}
	for slot := t.slot(hash); t[slot] != 0; slot = (slot + 1) & (len(t) - 1) {
		if place = int(t[slot]) - 1; images[place].has(hash) {
			return place, true
		}
	}
	return 0, false
}

func (l *listed) has(hash uint64) bool { return slices.Contains(l.hashes, hash) }
