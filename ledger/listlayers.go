// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"github.com/headroom-dev/headroom/imagesize"
)

// listLayers are the layers of the images that a node lists. Lists change seldom, and pods often: so this is kept with the list, and
// all holdings of the node share it. It never changes.
type listLayers struct {
	// told is contents.told as of which they hold, for nodes of that runtime and platform.
	told     uint64
	runtime  imagesize.Runtime
	platform imagesize.Platform
	// of are those of the entries, nil where they are not known, and nil itself where none are; hidden are the entries without.
	of     []*known
	hidden hidden
}

// layersBy returns what the contents tell of the list's layers.
func (l *imageList) layersBy(c *contents, rt imagesize.Runtime, p imagesize.Platform) *listLayers {
	if last := l.layers.Load(); last != nil && last.told == c.told && last.runtime == rt && last.platform == p {
		return last
	}
	layers := &listLayers{told: c.told, runtime: rt, platform: p}
	for i, entry := range l.images {
		k := c.layersOfEntry(&entry.ListedImage, rt, p)
		if k == nil {
			layers.hidden.add(entry.ReportedBytes)
			continue
		}
		if layers.of == nil {
			layers.of = make([]*known, len(l.images))
		}
		layers.of[i] = k
	}
	l.layers.Store(layers) // Whoever comes at the same time makes the same.
	return layers
}
