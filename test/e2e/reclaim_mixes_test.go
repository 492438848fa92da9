// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"slices"

	"github.com/headroom-dev/headroom/hack/lab"
)

// mix is what a node holds: images that running pods use, and images of pods that
// are gone.
type mix struct {
	title, nodeName string
	// discards has the node drop compressed layers once they are unpacked.
	discards     bool
	used, unused []lab.Image
}

func (m mix) options() lab.NodeOptions {
	compressed := "kept"
	if m.discards {
		compressed = "discarded"
	}
	return lab.NodeOptions{
		Name: m.nodeName, DiskBytes: 4 << 30, DiscardUnpackedLayers: m.discards, Labels: map[string]string{"compressed": compressed},
		ImageMinimumGCAge: collectableAge, EvictionHard: map[string]string{"imagefs.available": fmt.Sprintf("%d%%", evictionPercent)},
	}
}

// mixes has a node that keeps compressed layers first, and last one that discards them.
func mixes() []mix {
	text, random := layer(40, lab.Text), layer(30, lab.Random)
	base := []lab.Layer{text, random}
	with := func(below []lab.Layer, top ...lab.Layer) []lab.Layer { return slices.Concat(below, top) }
	// reversed shares all blobs with what has base, and no snapshot.
	reversed := lab.Image{Name: "reclaim/reversed:v1", Layers: []lab.Layer{random, text}}
	application := lab.Image{Name: "reclaim/application:v1", Layers: with(base, layer(11, lab.Random))}
	second := lab.Image{Name: "reclaim/second:v1", Layers: with(base, layer(37, lab.Random))}
	alsoSecond := lab.Image{Name: "reclaim/second:also", Layers: second.Layers}
	third := lab.Image{Name: "reclaim/third:v1", Layers: with(base, layer(56, lab.Text))}
	fourth := lab.Image{Name: "reclaim/fourth:v1", Layers: with(base[:1], layer(23, lab.Random), layer(13, lab.Source))}
	apart := lab.Image{Name: "reclaim/apart:v1", Layers: []lab.Layer{layer(53, lab.Random), layer(17, lab.Source)}}
	return []mix{
		{
			title: "unused images on the base of one in use", nodeName: "reclaim-base",
			used: []lab.Image{application}, unused: []lab.Image{second, third, fourth},
		},
		{
			title: "unused images that share with each other only, one by two tags", nodeName: "reclaim-among",
			used: []lab.Image{apart}, unused: []lab.Image{second, alsoSecond, third, fourth},
		},
		{
			title: "a base in use, other images, and its layers in another order", nodeName: "reclaim-order",
			used: []lab.Image{application}, unused: []lab.Image{second, apart, reversed},
		},
		{
			title: "the same, compressed layers discarded", nodeName: "reclaim-discards", discards: true,
			used: []lab.Image{application}, unused: []lab.Image{second, apart, reversed},
		},
	}
}
