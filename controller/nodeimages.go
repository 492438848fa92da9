// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"cmp"
	"slices"
	"strings"

	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/imagesize"
)

// maxOffered bounds how many listed images are asked about at a time.
const maxOffered = 5000

// nodeImage is an image that nodes of one platform list, by its digest.
type nodeImage struct {
	ref      imageref.Ref
	platform imagesize.Platform
}

// nodeImages knows which images nodes list, and which of them have been offered to the registries. Not safe for
// concurrent use.
type nodeImages struct {
	images map[nodeImage]*offers
	fresh  map[nodeImage]struct{}
	// open are those that were offered and whose layers were not known when that was last looked up.
	open map[nodeImage]struct{}
}

// offers is how many nodes list an image, and how often it has been offered.
type offers struct{ nodes, made int }

func newNodeImages() nodeImages {
	return nodeImages{
		images: make(map[nodeImage]*offers),
		fresh:  make(map[nodeImage]struct{}),
		open:   make(map[nodeImage]struct{}),
	}
}

// count adds a node that lists the image, or with -1 takes one away, and reports whether the image is new.
func (l *nodeImages) count(image nodeImage, change int) (fresh bool) {
	o := l.images[image]
	if o == nil {
		if change < 0 {
			return false
		}
		o, fresh = &offers{}, true
		l.images[image] = o
		l.fresh[image] = struct{}{}
	}
	if o.nodes += change; o.nodes <= 0 {
		delete(l.images, image)
		delete(l.fresh, image)
		delete(l.open, image)
	}
	return fresh
}

// offer returns the images to ask about next: the fresh ones, as far as there is room for them beside those that are
// open; with again, of all images whose layers are not known the ones that have been offered least. So those that no
// registry tells don't keep the others from their turn.
func (l *nodeImages) offer(again bool, known func(nodeImage) bool) []nodeImage {
	candidates := l.fresh
	if again {
		clear(l.open)
		candidates = make(map[nodeImage]struct{}, len(l.images))
		for image := range l.images {
			candidates[image] = struct{}{}
		}
	}
	var next []nodeImage
	for image := range candidates {
		if !known(image) {
			next = append(next, image)
		}
	}
	clear(l.fresh)
	slices.SortFunc(next, func(a, b nodeImage) int {
		return cmp.Or(cmp.Compare(l.images[a].made, l.images[b].made), strings.Compare(a.ref.String(), b.ref.String()),
			strings.Compare(a.platform.OS+"/"+a.platform.Architecture, b.platform.OS+"/"+b.platform.Architecture))
	})
	next = next[:min(len(next), max(maxOffered-len(l.open), 0))]
	for _, image := range next {
		l.images[image].made++
		l.open[image] = struct{}{}
	}
	return next
}
