// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"github.com/headroom-dev/headroom/estimate"
	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/imagesize"
)

// kindKey is what sizes on a node depend on, and what is reported of them.
type kindKey struct {
	runtime  imagesize.Runtime
	platform imagesize.Platform
	class    any // of View.SizeClass
}

// kind is the nodes that share all sizes, and what has been asked about them.
type kind struct {
	kindKey
	s       *Snapshot
	listed  *numbered
	atLeast map[imageref.Ref]int64
	// plans are what nodes have reserved, and shared what they have besides pods that could land on one node only.
	plans, shared plans
}

// kindOf returns the node's kind.
func (a *Accounts) kindOf(node *NodeRow) *kind {
	key := kindKey{runtime: node.Runtime, platform: platformOf(node.Node)}
	switch {
	case a.view.SizeClass != nil:
		key.class = a.view.SizeClass(node)
	case a.view.Size != nil:
		key.class = node
	}
	if a.last != nil && a.last.kindKey == key {
		return a.last
	}
	k := a.kinds[key]
	if k == nil {
		k = &kind{kindKey: key, s: a.s, atLeast: make(map[imageref.Ref]int64), listed: new(numbered)}
		if a.view.Listed != nil {
			k.listed = a.view.Listed.of(key, a.s)
		}
		a.kinds[key] = k
	}
	a.last = k
	return k
}

// size is what an image takes on this node when none of it is there.
func (a *accountant) size(ref imageref.Ref) imagesize.Size { return a.sizeWith(ref, imagesize.There{}) }

// sizeWith is what it takes with what is there of it.
func (a *accountant) sizeWith(ref imageref.Ref, there imagesize.There) imagesize.Size {
	var size imagesize.Size
	if a.view.Size != nil {
		size = a.view.Size(a.node, ref, there)
	} else {
		size = a.s.Evidence(ref, a.kind.runtime, a.kind.platform).Pull(a.kind.runtime, nil, there)
	}
	size.Disk = size.Disk.AtLeastZero()
	return size
}

// stored is what layers take on this node.
func (a *accountant) stored(s imagesize.Stored) estimate.Bytes {
	if a.view.Stored != nil {
		return a.view.Stored(a.node, s)
	}
	return s.OnDisk(a.kind.runtime, nil, imagesize.Learned{})
}

// reportedAtLeast is Snapshot.reportedAtLeast, asked once for a kind.
func (k *kind) reportedAtLeast(ref imageref.Ref, n *Node) int64 {
	bytes, known := k.atLeast[ref]
	if !known {
		bytes = k.s.reportedAtLeast(ref, n)
		k.atLeast[ref] = bytes
	}
	return bytes
}
