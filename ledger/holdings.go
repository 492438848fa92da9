// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"math"
	"slices"

	"github.com/headroom-dev/headroom/estimate"
	"github.com/headroom-dev/headroom/imageref"
)

// holdings are what is known of the layers on a node. They follow from its list and
// pods and from what registries told, and are made when a reader first asks.
type holdings struct {
	// told is contents.told as of which they hold, and maxListed the cap of the list.
	told      uint64
	maxListed int
	// listed are the entries of the node's list, nil where the layers are not known.
	listed []*known
	inUse  []bool // of listed
	// pulled are images that pods have pulled and the node does not list; perhaps those
	// of pods that are done or gone, which may be there or not.
	pulled, perhaps []pulledImage
	// hidden bounds what is there of images whose layers are not known.
	hidden hidden
	freed  freed
}

// pulledImage is one whose layers may not be known.
type pulledImage struct {
	ref imageref.Ref
	*known
}

// hidden are images whose layers are not known: the largest, and all together, in
// the unit of the node's runtime; math.MaxInt64 for no bound.
type hidden struct{ largestBytes, totalBytes int64 }

// add counts an image; one without a size bounds nothing.
func (h *hidden) add(bytes int64) {
	if bytes <= 0 {
		bytes = math.MaxInt64
	}
	h.largestBytes = max(h.largestBytes, bytes)
	h.totalBytes = estimate.SaturatingAdd(h.totalBytes, bytes)
}

// holdingsOf returns the holdings of a row of the snapshot.
func (s *Snapshot) holdingsOf(r *row) *holdings {
	memo := &r.facts.holdings
	last := memo.Load()
	if last != nil && last.told == s.told && last.maxListed == r.lines.MaxImagesListed {
		return last
	}
	h := newHoldings(&s.contents, r)
	if last != nil && last.maxListed == h.maxListed && h.sameImages(last) {
		h.freed = last.freed
	} else {
		h.freed = h.unused(r)
	}
	memo.Store(h) // Whoever comes at the same time makes the same.
	return h
}

// Prepare works out ahead what readers ask of all nodes.
func (s *Snapshot) Prepare() {
	for row := range s.Nodes() {
		s.holdingsOf(row.row)
	}
}

func newHoldings(c *contents, r *row) *holdings {
	h := &holdings{
		told: c.told, maxListed: r.lines.MaxImagesListed,
		listed: make([]*known, len(r.list.images)), inUse: make([]bool, len(r.list.images)),
	}
	p := platformOf(r.node)
	for i := range r.list.images {
		image := &r.list.images[i].ListedImage
		_, kept := r.list.pinned[i]
		h.inUse[i] = kept || !slices.Contains(r.facts.unused, int32(i))
		if h.listed[i] = c.layersOfEntry(image, r.node.Runtime, p); h.listed[i] == nil {
			h.hidden.add(image.ReportedBytes)
		}
	}
	unlisted, some := r.unlisted()
	if some {
		h.hidden = hidden{max(h.hidden.largestBytes, unlisted), math.MaxInt64}
	}
	collect := func(images []*PodImage) (all []pulledImage) {
		for _, image := range images {
			if r.lists(image) {
				continue
			}
			k := c.layersOfPulled(image, p)
			if k == nil {
				h.hidden.add(unlisted)
			}
			all = append(all, pulledImage{image.Ref, k})
		}
		return all
	}
	h.pulled, h.perhaps = collect(r.facts.pulledImages()), collect(r.facts.had)
	return h
}

// lists reports whether the node lists the very image that a pod has pulled.
func (r *row) lists(image *PodImage) bool {
	name := image.ImageID
	if name.IsZero() {
		name = image.Ref
	}
	_, listed := r.list.find(name)
	return listed
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
		return max(r.list.smallestBytes, 1), true
	}
}

// sameImages reports whether both are of the same images.
func (h *holdings) sameImages(o *holdings) bool {
	same := func(a, b pulledImage) bool { return a.known == b.known }
	return slices.Equal(h.listed, o.listed) && slices.Equal(h.inUse, o.inUse) &&
		slices.EqualFunc(h.pulled, o.pulled, same)
}

// pulledImages are the images that pods which are not finished have pulled, each once.
func (f *facts) pulledImages() []*PodImage {
	var images []*PodImage
	for p, of := range f.bound() {
		for i := range of {
			image := &of[i]
			if !p.Finished && image.Pulled && !slices.ContainsFunc(images, func(o *PodImage) bool { return o.Ref == image.Ref && o.ImageID == image.ImageID }) {
				images = append(images, image)
			}
		}
	}
	return images
}
