// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package policy

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/headroom-dev/headroom/estimate"
	"github.com/headroom-dev/headroom/imageref"
)

// Elastic says whether an autoscaler may add nodes to a pool, in which case refusing a pod could hide it from that.
type Elastic string

const (
	// ElasticAuto is true where anything in the cluster points to an autoscaler.
	ElasticAuto Elastic = "Auto"
	// ElasticTrue means that nodes may be added.
	ElasticTrue Elastic = "true"
	// ElasticFalse means that the nodes that are there are all there will be.
	ElasticFalse Elastic = "false"
)

// NodePool tells what no API tells about the nodes that a selector finds.
type NodePool struct {
	// Name is for sentences and metrics; unique in a policy.
	Name string
	// Selector finds the pool's nodes by their labels. An empty one finds all.
	Selector metav1.LabelSelector
	// Elastic says whether an autoscaler may add nodes.
	Elastic Elastic
	// ImageFilesystemBytes is the capacity of the disk that holds images, for nodes whose kubelet can't be asked; 0 where it
	// is not declared.
	ImageFilesystemBytes int64
	// DiskFactor is the bytes that an image takes on these nodes' disks for each byte of its size, nil where not declared.
	DiskFactor *estimate.Factor

	// compiled is Selector, nil in a pool that Load did not make.
	compiled labels.Selector
}

// Selects reports whether a node with these labels is one of the pool.
func (n *NodePool) Selects(nodeLabels labels.Labels) bool {
	selector := n.compiled
	if selector == nil {
		compiled, err := metav1.LabelSelectorAsSelector(&n.Selector)
		if err != nil {
			return false
		}
		selector = compiled
	}
	return selector.Matches(nodeLabels)
}

// Equal reports whether two pools say the same.
func (n NodePool) Equal(o NodePool) bool {
	sameFactor := n.DiskFactor == o.DiskFactor || n.DiskFactor != nil && o.DiskFactor != nil && *n.DiskFactor == *o.DiskFactor
	return sameFactor && n.Name == o.Name && n.Elastic == o.Elastic && n.ImageFilesystemBytes == o.ImageFilesystemBytes &&
		metav1.FormatLabelSelector(&n.Selector) == metav1.FormatLabelSelector(&o.Selector)
}

// PoolOf returns the first pool that selects a node with these labels, nil when none does. It must not be changed.
func (p *Policy) PoolOf(nodeLabels labels.Labels) *NodePool {
	for i := range p.NodePools {
		if p.NodePools[i].Selects(nodeLabels) {
			return &p.NodePools[i]
		}
	}
	return nil
}

// ImageSize is the size of the images that a pattern selects.
type ImageSize struct {
	// Match is an imageref.Pattern in its canonical form.
	Match string
	// SizeBytes is the unpacked size on disk, more than 0.
	SizeBytes int64

	// pattern is Match, zero in an entry that Load did not make.
	pattern imageref.Pattern
}

// Equal reports whether two entries say the same.
func (i ImageSize) Equal(o ImageSize) bool { return i.Match == o.Match && i.SizeBytes == o.SizeBytes }

// Matches reports whether the entry is for this image.
func (i ImageSize) Matches(r imageref.Ref) bool {
	return ImagePattern{Text: i.Match, pattern: i.pattern}.Matches(r)
}

// ImagePattern selects images.
type ImagePattern struct {
	// Text is an imageref.Pattern in its canonical form.
	Text string

	// pattern is Text, zero in one that Load did not make.
	pattern imageref.Pattern
}

// Equal reports whether two patterns are written alike.
func (p ImagePattern) Equal(o ImagePattern) bool { return p.Text == o.Text }

// Matches reports whether the pattern selects this image.
func (p ImagePattern) Matches(r imageref.Ref) bool {
	pattern := p.pattern
	if pattern == (imageref.Pattern{}) {
		parsed, err := imageref.ParsePattern(p.Text)
		if err != nil {
			return false
		}
		pattern = parsed
	}
	return pattern.Matches(r)
}

// SizeOf returns the first entry of the operator's table that matches the image, and whether there is one.
func (p *Policy) SizeOf(r imageref.Ref) (ImageSize, bool) {
	for _, entry := range p.Images {
		if entry.Matches(r) {
			return entry, true
		}
	}
	return ImageSize{}, false
}
