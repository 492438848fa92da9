// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"cmp"
	"hash/maphash"
	"slices"

	"github.com/headroom-dev/headroom/imageref"
)

// use is how the pods of a node use an image.
type use struct {
	// running says that a pod that is not finished needs it, pulled that one of
	// those has it, and had that a finished one had it, or one that is gone may have.
	running, pulled, had bool
}

func (u use) or(o use) use {
	return use{running: u.running || o.running, pulled: u.pulled || o.pulled, had: u.had || o.had}
}

// usedName is a canonical name or a digest alone, by its hash, and how it is used. Two names with one hash are as good as
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

func appendUses(names []usedName, ref imageref.Ref, how use, seed maphash.Seed) []usedName {
	if ref.IsZero() {
		return names
	}
	names = append(names, usedName{maphash.String(seed, ref.String()), how})
	if digest := ref.Digest(); digest != "" {
		names = append(names, usedName{maphash.String(seed, digest), how})
	}
	return names
}

// uses are the images that the pods of a node use, sorted by hash. They never change.
type uses struct {
	hashes []uint64
	how    []use
}

// newUses sorts names in place.
func newUses(names []usedName) uses {
	if len(names) == 0 {
		return uses{}
	}
	slices.SortFunc(names, func(a, b usedName) int { return cmp.Compare(a.hash, b.hash) })
	distinct := 1
	for i := 1; i < len(names); i++ {
		if last := &names[distinct-1]; last.hash == names[i].hash {
			last.use = last.use.or(names[i].use)
		} else {
			names[distinct] = names[i]
			distinct++
		}
	}
	u := uses{hashes: make([]uint64, distinct), how: make([]use, distinct)}
	for i := range u.hashes {
		u.hashes[i], u.how[i] = names[i].hash, names[i].use
	}
	return u
}

// of returns the use of the name with that hash.
func (u *uses) of(hash uint64) use {
	i, found := slices.BinarySearch(u.hashes, hash)
	if !found {
		return use{}
	}
	return u.how[i]
}
