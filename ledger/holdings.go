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
	// listed are the entries of the node's list, nil where the layers are not known, and nil itself where none are.
	listed []*known
	inUse  bitset // of the list
	// pulled are images that pods have pulled and the node does not list; perhaps those
	// of pods that are done or gone, which may be there or not.
	pulled, perhaps []pulledImage
	// hidden bounds what is there of images whose layers are not known.
	hidden hidden
	freed  *freed // nil for nothing
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
	p := platformOf(r.node)
	layers := r.list.layersBy(c, r.node.Runtime, p)
	h := &holdings{told: c.told, maxListed: r.lines.MaxImagesListed, listed: layers.of, hidden: layers.hidden, inUse: r.inUse()}
	unlisted, some := r.unlisted()
	if some {
		h.hidden = hidden{max(h.hidden.largestBytes, unlisted), math.MaxInt64}
	}
	collect := func(images []*PodImage) (all []pulledImage) {
		for _, image := range images {
			k := c.layersOfPulled(image, p)
			if k == nil {
				h.hidden.add(unlisted)
			}
			all = append(all, pulledImage{image.Ref, k})
		}
		return all
	}
	h.pulled, h.perhaps = collect(r.pulledImages()), collect(r.hadImages())
	return h
}

// inUse are the entries of the list that a pod uses, or that the kubelet never removes.
func (r *row) inUse() bitset {
	used := make(bitset, len(r.facts.unused))
	for i := range used {
		used[i] = ^r.facts.unused[i]
		if i < len(r.list.pinned) {
			used[i] |= r.list.pinned[i]
		}
	}
	if last := len(r.list.images) % 64; last > 0 {
		used[len(used)-1] &= 1<<last - 1
	}
	return used
}

// layers are those of an entry of the node's list, nil where they are not known.
func (h *holdings) layers(entry int) *known {
	if h.listed == nil {
		return nil
	}
	return h.listed[entry]
}

// lists reports whether the node lists the very image that a pod has pulled.
func (r *row) lists(image *PodImage) bool {
	_, listed := r.list.find(image.listedAs())
	return listed
}

// listedAs is the name by which a node that has the image lists it: that of the status, or else of the spec.
func (image *PodImage) listedAs() imageref.Ref {
	if image.ImageID.IsZero() {
		return image.Ref
	}
	return image.ImageID
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

// pulledImages are the images that pods which are not finished have pulled and the node does not list, each once.
func (r *row) pulledImages() (images []*PodImage) {
	if len(r.facts.unlisted) == 0 {
		return nil
	}
	add := func(image *PodImage) {
		if !slices.ContainsFunc(images, func(o *PodImage) bool { return o.Ref == image.Ref && o.ImageID == image.ImageID }) {
			images = append(images, image)
		}
	}
	for _, p := range r.facts.pods {
		for i := range p.Images {
			if image := &p.Images[i]; !p.Finished && image.Pulled && !r.lists(image) {
				add(image)
			}
		}
	}
	for _, s := range r.facts.parked.shapes {
		for i := range s.names {
			if _, listed := r.list.hashed(s.names[i]); !listed && !s.pod.Finished { // All that are parked have theirs.
				add(&s.pod.Images[i])
			}
		}
	}
	return images
}

// hadImages are those that finished pods had, or pods that are gone, and the node does not list.
func (r *row) hadImages() (images []*PodImage) {
	for _, image := range r.facts.had {
		if !r.lists(image) {
			images = append(images, image)
		}
	}
	return images
}
