// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fit

import "github.com/headroom-dev/headroom/imagesize"

// brought are the layers that a pod's images bring to a node that has none of them, each with the group of images that brings
// it. Comparing each image with those before it would take time by the square of their number, and of their layers.
type brought struct{ snapshots, blobs groups }

func newBrought() *brought { return &brought{snapshots: groups{}, blobs: groups{}} }

// add is for an image that is pulled before the next. Images of one group are one image by several names, which bring nothing
// to each other. Where the layers are not known, none are brought.
func (b *brought) add(m *imagesize.Manifest, group int) {
	if !m.Layered() {
		return
	}
	for i := range m.Layers {
		b.snapshots.add(m.Layers[i].ChainID, group)
		b.blobs.add(m.Layers[i].Digest, group)
	}
}

// shared is what of an image's layers other groups have brought.
func (b *brought) shared(m *imagesize.Manifest, group int) imagesize.Shared {
	if !m.Layered() {
		return imagesize.Shared{}
	}
	return m.SharedWithAll(
		func(i int) bool { return b.snapshots.hasOther(m.Layers[i].ChainID, group) },
		func(i int) bool { return b.blobs.hasOther(m.Layers[i].Digest, group) },
	)
}

// groups says which group has a layer: severalGroups where more than one has.
type groups map[string]int

const severalGroups = -1

func (g groups) add(layer string, group int) {
	if before, found := g[layer]; found && before != group {
		group = severalGroups
	}
	g[layer] = group
}

func (g groups) hasOther(layer string, group int) bool {
	has, found := g[layer]
	return found && has != group
}
