// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"math"
	"slices"

	"github.com/headroom-dev/headroom/estimate"
	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/imagesize"
)

// holdings are what is known of the layers on a node. They follow from its row and
// from what registries told, and are made when a reader first asks.
type holdings struct {
	// told is contents.told as of which they hold.
	told uint64
	// listed are the entries of the node's list, nil where the layers are not known.
	listed []*known
	inUse  []bool // of listed
	// pulled are images that pods have pulled and the node does not list.
	pulled []pulledImage
	// hidden bounds what is there of images whose layers are not known.
	hidden hidden
	freed  freed
}

type pulledImage struct {
	ref imageref.Ref
	*known
}

// hidden are images whose layers are not known: the largest, and all together, in
// the unit of the node's runtime; math.MaxInt64 for no bound.
type hidden struct{ largestBytes, totalBytes int64 }

func (h *hidden) add(bytes int64) {
	h.largestBytes = max(h.largestBytes, bytes)
	h.totalBytes = estimate.SaturatingAdd(h.totalBytes, max(bytes, 0))
}

// freed are the layers that removing all unused images would remove: at least, for
// what hides may share them, and at most. rest are unused entries of the list whose
// layers are not known.
type freed struct {
	least, most imagesize.Stored
	rest        []int
}

// holdingsOf returns the holdings of a row of the snapshot.
func (s *Snapshot) holdingsOf(r *row) *holdings {
	if h := r.holdings.Load(); h != nil && h.told == s.told {
		return h
	}
	h := newHoldings(&s.contents, r)
	r.holdings.Store(h) // Whoever comes at the same time makes the same.
	return h
}

func newHoldings(c *contents, r *row) *holdings {
	h := &holdings{told: c.told, listed: make([]*known, len(r.list.images)), inUse: make([]bool, len(r.list.images))}
	p := platformOf(r.node)
	var used hidden
	for i := range r.list.images {
		image := &r.list.images[i]
		_, kept := r.list.pinned[i]
		h.inUse[i] = kept || !slices.Contains(r.facts.unused, i)
		if h.listed[i] = c.layersOfAny(image.Refs, p); h.listed[i] == nil {
			h.hidden.add(image.ReportedBytes)
			if h.inUse[i] {
				used.add(image.ReportedBytes)
			}
		}
	}
	unlisted, some := r.unlisted()
	if some {
		h.hidden = hidden{max(h.hidden.largestBytes, unlisted), math.MaxInt64}
		used.add(unlisted)
	}
	for _, image := range r.facts.pulledImages() {
		if _, listed := r.list.find(image.Ref); listed {
			continue
		}
		if k := c.layersOfAny([]imageref.Ref{image.ImageID, image.Ref}, p); k != nil {
			h.pulled = append(h.pulled, pulledImage{image.Ref, k})
			continue
		}
		h.hidden.add(unlisted)
		used.add(unlisted)
	}
	h.freed = h.unused(used.largestBytes)
	return h
}

// unlisted bounds the size of an image that is there and not listed, math.MaxInt64
// for no bound, and says whether there may be some that no pod is known to have.
func (r *row) unlisted() (bytes int64, some bool) {
	switch {
	case r.list.images == nil:
		return math.MaxInt64, true
	case !r.lines.cuts(len(r.list.images)):
		return math.MaxInt64, false
	case len(r.list.images) == 0:
		return math.MaxInt64, true
	default:
		return r.list.smallestBytes, true
	}
}

// pulledImages are the images that pods which are not finished have pulled, each once.
func (f *facts) pulledImages() []*PodImage {
	var images []*PodImage
	for _, p := range f.pods {
		for i := range p.Images {
			image := &p.Images[i]
			if !p.Finished && image.Pulled && !slices.ContainsFunc(images, func(o *PodImage) bool { return o.Ref == image.Ref }) {
				images = append(images, image)
			}
		}
	}
	return images
}

// layerNames are digests of blobs and chain IDs of snapshots, apart: at the bottom
// of an image, an uncompressed layer has the same for both.
type layerNames struct{ blobs, snapshots map[string]struct{} }

func newLayerNames() layerNames {
	return layerNames{blobs: make(map[string]struct{}), snapshots: make(map[string]struct{})}
}

func (n layerNames) add(k *known) {
	for i := range k.Layers {
		n.blobs[k.Layers[i].Digest], n.snapshots[k.Layers[i].ChainID] = struct{}{}, struct{}{}
	}
}

// first reports whether a name is new, and adds it.
func first(names map[string]struct{}, name string) bool {
	_, known := names[name]
	names[name] = struct{}{}
	return !known
}

// unused finds what only unused images have. hiddenBytes bounds images in use whose
// layers are not known.
func (h *holdings) unused(hiddenBytes int64) freed {
	var f freed
	var ofUnused []*known
	for i, k := range h.listed {
		switch {
		case h.inUse[i]:
		case k == nil:
			f.rest = append(f.rest, i)
		default:
			ofUnused = append(ofUnused, k)
		}
	}
	if len(ofUnused) == 0 {
		return f
	}
	names := newLayerNames()
	for i, k := range h.listed {
		if h.inUse[i] && k != nil {
			names.add(k)
		}
	}
	for _, p := range h.pulled {
		names.add(p.known)
	}
	for _, k := range ofUnused {
		least, most := k.only(names, hiddenBytes)
		f.least, f.most = f.least.Plus(least), f.most.Plus(most)
	}
	return f
}

// only returns the layers whose names are new, and adds them: at least those that
// no image of hiddenBytes can have, and at most all.
func (k *known) only(names layerNames, hiddenBytes int64) (least, most imagesize.Stored) {
	below := int64(0)
	for i := range k.Layers {
		layer := &k.Layers[i]
		below = estimate.SaturatingAdd(below, max(layer.CompressedBytes, 0))
		snapshot, blob := first(names.snapshots, layer.ChainID), first(names.blobs, layer.Digest)
		most = most.Plus(layer.Stored(snapshot, blob))
		least = least.Plus(layer.Stored(snapshot && below > hiddenBytes, blob && layer.CompressedBytes > hiddenBytes))
	}
	documents := imagesize.Documents(&k.Manifest)
	return least, most.Plus(documents)
}

// Layers returns the distinct layers of the images that the node lists, as far as
// they are known. The row must be of the same snapshot.
func (s *Snapshot) Layers(row *NodeRow) imagesize.Stored {
	names := newLayerNames()
	var all imagesize.Stored
	for _, k := range s.holdingsOf(row.row).listed {
		if k != nil {
			_, most := k.only(names, 0)
			all = all.Plus(most)
		}
	}
	return all
}
