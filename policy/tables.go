// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"go.yaml.in/yaml/v3"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/headroom-dev/headroom/estimate"
	"github.com/headroom-dev/headroom/imageref"
)

// maxDiskFactor is far above what any image shows (131 was measured for one full of zeros); more is a slip.
const maxDiskFactor = 1000

func nodePoolProperties() []property[NodePool] {
	return []property[NodePool]{
		{
			name: "name", kind: "text", required: true, meaning: "What sentences and metrics call the pool. Every pool has another one.",
			read: func(d *decoder, at place, n *NodePool) { d.objectName(at, &n.Name) },
		},
		{
			name: "selector", kind: "label selector", required: true,
			meaning: "Which nodes are of the pool: `matchLabels` and `matchExpressions` as everywhere in Kubernetes, `{}` for all.",
			read: func(d *decoder, at place, n *NodePool) {
				if selector, compiled, ok := d.selector(at); ok {
					n.Selector, n.compiled = selector, compiled
				}
			},
		},
		{
			name: "elastic", kind: "`Auto`, `true` or `false`", preset: "Auto",
			meaning: "Whether an autoscaler may add nodes. An elastic pool refuses only what an empty node could not hold. `Auto` is `true` unless nothing in the cluster points to an autoscaler.",
			read: func(d *decoder, at place, n *NodePool) {
				oneOf(d, at, &n.Elastic, []Elastic{ElasticAuto, ElasticTrue, ElasticFalse})
			},
		},
		{
			name: "imageFilesystem", kind: "quantity of bytes", meaning: "The capacity of the disk that holds images, for nodes whose kubelet can't be asked.",
			read: func(d *decoder, at place, n *NodePool) { d.size(at, &n.ImageFilesystemBytes) },
		},
		{
			name: "diskFactor", kind: "object", meaning: "The bytes that an image takes on disk for each byte of the size that the runtime or the registry tells.",
			read:   func(d *decoder, at place, n *NodePool) { n.DiskFactor = d.factor(at) },
			inside: rows(factorProperties()),
		},
	}
}

func factorProperties() []property[estimate.Factor] {
	return []property[estimate.Factor]{
		{
			name: "low", kind: "number", required: true, meaning: "What refusals count with.",
			read: func(d *decoder, at place, f *estimate.Factor) { d.number(at, &f.Low, maxDiskFactor) },
		},
		{
			name: "likely", kind: "number", required: true, meaning: "What warnings count with. At least `low`.",
			read: func(d *decoder, at place, f *estimate.Factor) { d.number(at, &f.Likely, maxDiskFactor) },
		},
		{
			name: "high", kind: "number", required: true, meaning: "The most that has to be feared. At least `likely`, and more than 0.",
			read: func(d *decoder, at place, f *estimate.Factor) { d.number(at, &f.High, maxDiskFactor) },
		},
	}
}

func imageProperties() []property[ImageSize] {
	return []property[ImageSize]{
		{
			name: "match", kind: "image name or pattern", required: true,
			meaning: "Which images: a name (all tags and digests, unless it has one), or a pattern from the registry on in which `*` stands for any run of characters, also of slashes.",
			read: func(d *decoder, at place, i *ImageSize) {
				if p, ok := d.imagePattern(at); ok {
					i.Match, i.pattern = p.Text, p.pattern
				}
			},
		},
		{
			name: "size", kind: "quantity of bytes", required: true, meaning: "What such an image takes on a disk, unpacked.",
			read: func(d *decoder, at place, i *ImageSize) { d.size(at, &i.SizeBytes) },
		},
	}
}

func unknownImageProperties() []property[UnknownImage] {
	return []property[UnknownImage]{
		{
			name: "likely", kind: "quantity of bytes", required: true, meaning: "The likely size. At most `high`.",
			read: func(d *decoder, at place, u *UnknownImage) { d.size(at, &u.LikelyBytes) },
		},
		{
			name: "high", kind: "quantity of bytes", required: true, meaning: "The largest size.",
			read: func(d *decoder, at place, u *UnknownImage) { d.size(at, &u.HighBytes) },
		},
	}
}

func (d *decoder) nodePools(at place) []NodePool {
	seen := map[string]bool{}
	return readList(d, at, func(at place) (NodePool, bool) {
		pool := NodePool{Elastic: ElasticAuto}
		readObject(d, at, &pool, nodePoolProperties())
		if seen[pool.Name] {
			d.mistake(at, field.Duplicate(at.path.Child("name"), pool.Name))
		}
		seen[pool.Name] = pool.Name != ""
		return pool, true
	})
}

func (d *decoder) images(at place) []ImageSize {
	return readList(d, at, func(at place) (ImageSize, bool) {
		var image ImageSize
		readObject(d, at, &image, imageProperties())
		return image, true
	})
}

func (d *decoder) objectName(at place, into *string) { d.word(at, into, wrongObjectName) }

// imagePattern reports whether there is nothing wrong with it.
func (d *decoder) imagePattern(at place) (ImagePattern, bool) {
	text, ok := d.text(at)
	if !ok {
		return ImagePattern{}, false
	}
	pattern, err := imageref.ParsePattern(text)
	if err != nil {
		d.invalid(at, err.Error())
		return ImagePattern{}, false
	}
	return ImagePattern{Text: pattern.String(), pattern: pattern}, true
}

// factor returns nil on a mistake.
func (d *decoder) factor(at place) *estimate.Factor {
	before := len(d.mistakes)
	var f estimate.Factor
	readObject(d, at, &f, factorProperties())
	if len(d.mistakes) > before {
		return nil
	}
	if !f.Valid() || f.High == 0 {
		d.invalid(at, "must have low <= likely <= high, and a high of more than 0")
		return nil
	}
	return &f
}

func (d *decoder) unknownImage(at place, into *UnknownImage) {
	if at.node.Kind == yaml.ScalarNode && at.node.Value == "Unknown" {
		*into = UnknownImage{}
		return
	}
	if at.node.Kind != yaml.MappingNode {
		d.invalid(at, "must be Unknown, or sizes such as {likely: 1Gi, high: 10Gi}")
		return
	}
	before := len(d.mistakes)
	readObject(d, at, into, unknownImageProperties())
	if len(d.mistakes) == before && into.LikelyBytes > into.HighBytes {
		d.invalid(at, "must have likely <= high")
	}
}
