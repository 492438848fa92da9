// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"slices"

	"github.com/headroom-dev/headroom/imagesize"
)

// sharing is what one image shares with others, found once for each: a pod's images are held against those of thousands of
// nodes, which are mostly the same.
type sharing struct {
	of    *known
	found []comparison // by the other's number
}

type comparison struct {
	shared imagesize.Shared
	done   bool
}

// numberedImage is one of the images that have come up in some Accounts, by a number that counts them.
type numberedImage struct {
	*known
	number int
}

// listedImage is an image of a node's list whose layers are known.
type listedImage struct {
	image numberedImage
	inUse bool
}

func (a *Accounts) sharingOf(of *known) *sharing {
	s := a.sharings[of]
	if s == nil {
		if a.sharings == nil {
			a.sharings = make(map[*known]*sharing)
		}
		s = &sharing{of: of}
		a.sharings[of] = s
	}
	return s
}

func (a *Accounts) numbered(k *known) numberedImage {
	number, found := a.numbers[k]
	if !found {
		if a.numbers == nil {
			a.numbers = make(map[*known]int)
		}
		number = len(a.numbers)
		a.numbers[k] = number
	}
	return numberedImage{k, number}
}

func (s *sharing) with(o numberedImage) imagesize.Shared {
	if o.number >= len(s.found) {
		s.found = append(s.found, make([]comparison, o.number+1-len(s.found))...)
	}
	f := &s.found[o.number]
	if !f.done {
		f.shared, f.done = s.of.sharedWith(o.known), true
	}
	return f.shared
}

// sharedWith is Manifest.SharedWith, in time that grows with the layers of both and not with their product.
func (k *known) sharedWith(o *known) imagesize.Shared {
	if k == o {
		return imagesize.All(&k.Manifest)
	}
	next := 0
	places := imagesize.LayerSet{}
	for _, place := range k.sorted {
		hash := k.blobs[place]
		for next < len(o.sorted) && o.blobs[o.sorted[next]] < hash {
			next++
		}
		if next < len(o.sorted) && o.blobs[o.sorted[next]] == hash {
			places.Add(int(place))
		}
	}
	return k.SharedWithAll(
		func(i int) bool { return i < len(o.snapshots) && o.snapshots[i] == k.snapshots[i] },
		places.Has,
	)
}

// listedImages are the images of the node's list whose layers are known, and which the last sample has seen.
func (a *accountant) listedImages(h *holdings) []listedImage {
	if a.listed != nil {
		return a.listed
	}
	a.listed = slices.Grow(a.listedScratch[:0], 1)
	for i, k := range h.listed {
		if k != nil && !slices.Contains(a.unsampled, i) {
			a.listed = append(a.listed, listedImage{a.numbered(k), h.inUse.has(i)})
		}
	}
	a.listedScratch = a.listed
	return a.listed
}
