// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"hash/maphash"
	"iter"
	"math/bits"

	"github.com/headroom-dev/headroom/imageref"
)

// use is how the pods of a node use an image.
type use struct {
	// running says that a pod that is not finished needs it, pulled that one of
	// those has it, and had that a finished one had it, or one that is gone may have.
	running, pulled, had bool
}

// usedName is a name as of knownAs, by its hash, and how it is used. Two names with one hash are as good as
// impossible: the seed is not known to anybody.
type usedName struct {
	hash uint64
	use  use
}

// usesOf are the uses that a bound pod makes of its images, by the names of the spec and of the status.
func usesOf(pod *Pod, seed maphash.Seed) []usedName {
	var names []usedName
	for i := range pod.Images {
		image := &pod.Images[i]
		how := use{running: !pod.Finished, pulled: !pod.Finished && image.Pulled, had: pod.Finished && image.Pulled}
		names = appendUses(names, image.Ref, how, seed)
		names = appendUses(names, image.ImageID, how, seed)
	}
	return names
}

// hadBy are those of a pod that has been deleted.
func hadBy(pod *Pod, seed maphash.Seed) []usedName {
	var names []usedName
	for i := range pod.Images {
		names = appendUses(names, pod.Images[i].Ref, use{had: true}, seed)
		names = appendUses(names, pod.Images[i].ImageID, use{had: true}, seed)
	}
	return names
}

func appendUses(names []usedName, ref imageref.Ref, how use, seed maphash.Seed) []usedName {
	if ref.IsZero() {
		return names
	}
	return append(names, usedName{nameHash(seed, ref), how})
}

// uses are the images that the pods of a node use, found by hash: a place has the hash that would be there, or one of those before
// it would (open addressing). They never change.
type uses struct {
	hashes []uint64 // 0 for none
	how    []packedUse
}

// packedUse is a use in one byte.
type packedUse byte

func (u use) packed() (p packedUse) {
	for i, set := range [...]bool{u.running, u.pulled, u.had} {
		if set {
			p |= 1 << i
		}
	}
	return p
}

func (p packedUse) use() use { return use{running: p&1 != 0, pulled: p&2 != 0, had: p&4 != 0} }

// newUses takes names of which many may be the same. all is scratch space.
func newUses(names []usedName, all *uses) uses {
	all.clear(len(names))
	distinct := 0
	for i := range names {
		if all.add(names[i].hash, names[i].use.packed()) {
			distinct++
		}
	}
	var u uses
	if distinct > 0 {
		u.clear(distinct)
	}
	for i, hash := range all.hashes {
		if hash != 0 {
			u.add(hash, all.how[i])
		}
	}
	return u
}

// clear leaves nothing but room for so many.
func (u *uses) clear(distinct int) {
	places := distinct + distinct/2 + 1 // so that one is free
	if cap(u.hashes) < places {
		*u = uses{hashes: make([]uint64, places), how: make([]packedUse, places)}
		return
	}
	u.hashes, u.how = u.hashes[:places], u.how[:places]
	clear(u.hashes)
	clear(u.how)
}

// same reports whether both are one table.
func (u *uses) same(o *uses) bool {
	return len(u.hashes) == len(o.hashes) && (len(u.hashes) == 0 || &u.hashes[0] == &o.hashes[0])
}

// place is where the hash is, or would be.
func (u *uses) place(hash uint64) int {
	at, _ := bits.Mul64(hash, uint64(len(u.hashes)))
	i := int(at) //nolint:gosec // less than the length
	for u.hashes[i] != 0 && u.hashes[i] != hash {
		if i++; i == len(u.hashes) {
			i = 0
		}
	}
	return i
}

// add is true for a hash that was not there.
func (u *uses) add(hash uint64, how packedUse) bool {
	if hash == 0 {
		return false // No name has it: that is as likely as that two have the same.
	}
	i := u.place(hash)
	before := u.hashes[i]
	u.hashes[i] = hash
	u.how[i] |= how
	return before == 0
}

// of returns the use of the name with that hash.
func (u *uses) of(hash uint64) use {
	if len(u.hashes) == 0 {
		return use{}
	}
	return u.how[u.place(hash)].use()
}

// all returns each name's hash and use, in no order.
func (u *uses) all() iter.Seq2[uint64, use] {
	return func(yield func(uint64, use) bool) {
		for i, hash := range u.hashes {
			if hash != 0 && !yield(hash, u.how[i].use()) {
				return
			}
		}
	}
}
