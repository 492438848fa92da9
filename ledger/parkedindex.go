// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"hash/maphash"
	"iter"
	"math/bits"
)

// parkedIndex tells on which node a parked pod may be, in 8 bytes for each. A map from UIDs takes five times that, and there are
// half a million of them: the UID itself is on the node, where whoever asks looks anyway.
//
// A place has half of a pod's hash, by which it is found (open addressing, without gaps: a pod that goes lets those behind it move
// up), and its node's index. It has no pointers.
type parkedIndex struct {
	seed   maphash.Seed
	places []parkedPlace
	count  int
}

// parkedPlace is empty where its node is 0: those of pods are counted from 1.
type parkedPlace struct{ hash, node uint32 }

// leastParkedPlaces is how large the index is to begin with.
const leastParkedPlaces = 64

func newParkedIndex(seed maphash.Seed) parkedIndex {
	return parkedIndex{seed: seed, places: make([]parkedPlace, leastParkedPlaces)}
}

func (x *parkedIndex) hash(uid shortUID) uint32 {
	return uint32(maphash.Bytes(x.seed, uid[:]) >> 32)
}

// home is where a pod of that hash is if no other has taken the place.
func (x *parkedIndex) home(hash uint32) int {
	at, _ := bits.Mul64(uint64(hash)<<32, uint64(len(x.places)))
	return int(at) //nolint:gosec // less than the length
}

func (x *parkedIndex) after(place int) int {
	if place++; place == len(x.places) {
		return 0
	}
	return place
}

// nodes returns the indices of the nodes on which the pod may be: nearly always that of its own, or none.
func (x *parkedIndex) nodes(uid shortUID) iter.Seq[uint32] {
	return func(yield func(uint32) bool) {
		hash := x.hash(uid)
		for at := x.home(hash); x.places[at].node != 0; at = x.after(at) {
			if x.places[at].hash == hash && !yield(x.places[at].node-1) {
				return
			}
		}
	}
}

// add notes that a pod is on the node with that index.
func (x *parkedIndex) add(uid shortUID, node uint32) {
	if x.count++; x.count > len(x.places)/4*3 {
		x.grow()
	}
	x.put(parkedPlace{x.hash(uid), node + 1})
}

func (x *parkedIndex) put(p parkedPlace) {
	at := x.home(p.hash)
	for x.places[at].node != 0 {
		at = x.after(at)
	}
	x.places[at] = p
}

// grow makes it half as large again: what is to spare costs more than to move all now and then.
func (x *parkedIndex) grow() {
	before := x.places
	x.places = make([]parkedPlace, len(before)+len(before)/2)
	for _, p := range before {
		if p.node != 0 {
			x.put(p)
		}
	}
}

// remove takes out a pod that has been added with that node.
func (x *parkedIndex) remove(uid shortUID, node uint32) {
	gone := parkedPlace{x.hash(uid), node + 1}
	at := x.home(gone.hash)
	for x.places[at] != gone {
		if x.places[at].node == 0 {
			return
		}
		at = x.after(at)
	}
	x.count--
	// Whoever is behind, up to the next gap, moves up if its home is not behind this place.
	for next := x.after(at); x.places[next].node != 0; next = x.after(next) {
		if x.distance(x.home(x.places[next].hash), next) >= x.distance(at, next) {
			x.places[at], at = x.places[next], next
		}
	}
	x.places[at] = parkedPlace{}
}

// distance is how many steps it takes from one place to another.
func (x *parkedIndex) distance(from, to int) int {
	if to < from {
		to += len(x.places)
	}
	return to - from
}
