// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"github.com/headroom-dev/headroom/estimate"
	"github.com/headroom-dev/headroom/imagesize"
)

// freed are the layers that removing all unused images would remove: at least, for
// what hides may share them, and at most.
type freed struct{ least, most imagesize.Stored }

// layerSet holds blobs and snapshots by their hashes, apart: at the bottom of an image,
// an uncompressed layer has one name for both.
type layerSet struct{ blobs, snapshots map[uint64]struct{} }

func newLayerSet(layers int) layerSet {
	return layerSet{blobs: make(map[uint64]struct{}, layers), snapshots: make(map[uint64]struct{}, layers)}
}

func (s layerSet) add(k *known) {
	for i := range k.Layers {
		s.blobs[k.blobs[i]], s.snapshots[k.snapshots[i]] = struct{}{}, struct{}{}
	}
}

// first reports whether a hash is new, and adds it.
func first(set map[uint64]struct{}, hash uint64) bool {
	before := len(set)
	set[hash] = struct{}{}
	return len(set) > before
}

// unused finds what only unused images have.
func (h *holdings) unused(r *row) *freed {
	var ofUnused []*known
	var used hidden // whose layers are not known, and which may be in use
	layers := 0
	for i, image := range r.list.images {
		switch k := h.layers(i); {
		case k == nil && h.inUse.has(i):
			used.add(image.ReportedBytes)
		case k == nil:
		case !h.inUse.has(i):
			ofUnused = append(ofUnused, k)
			fallthrough
		default:
			layers += len(k.Layers)
		}
	}
	if len(ofUnused) == 0 {
		return nil
	}
	unlisted, some := r.unlisted()
	set := newLayerSet(layers)
	for i, k := range h.listed {
		if h.inUse.has(i) && k != nil {
			set.add(k)
		}
	}
	for _, p := range h.pulled {
		if some = some || p.known == nil; p.known != nil {
			set.add(p.known)
		}
	}
	if some {
		used.add(unlisted)
	}
	f := new(freed)
	for _, k := range ofUnused {
		least, most := k.only(set, used.largestBytes)
		f.least, f.most = f.least.Plus(least), f.most.Plus(most)
	}
	return f
}

// only returns the layers that are new, and adds them: at least those that no image of
// hiddenBytes can have, and at most all.
func (k *known) only(set layerSet, hiddenBytes int64) (least, most imagesize.Stored) {
	below := int64(0)
	for i := range k.Layers {
		layer := &k.Layers[i]
		below = estimate.SaturatingAdd(below, max(layer.CompressedBytes, 0))
		snapshot, blob := first(set.snapshots, k.snapshots[i]), first(set.blobs, k.blobs[i])
		most = most.Plus(layer.Stored(snapshot, blob))
		least = least.Plus(layer.Stored(snapshot && below > hiddenBytes, blob && layer.CompressedBytes > hiddenBytes))
	}
	return least, most.Plus(imagesize.Documents(&k.Manifest))
}

// Layers returns the distinct layers of the images that the node lists, as far as
// they are known. The row must be of the same snapshot.
func (s *Snapshot) Layers(row *NodeRow) imagesize.Stored {
	set := newLayerSet(0)
	var all imagesize.Stored
	for _, k := range s.holdingsOf(row.row).listed {
		if k != nil {
			_, most := k.only(set, 0)
			all = all.Plus(most)
		}
	}
	return all
}
