// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/imagesize"
	"github.com/headroom-dev/headroom/ledger"
)

// NodeSet implements NodeListener. A platform that is new makes every image fresh. Nodes whose platform is not known yet
// are left out: no manifest could be chosen for them.
func (w *Wants) NodeSet(_ *corev1.Node, row ledger.Node) {
	node := wantingNode{uid: row.UID, platform: imagesize.Platform{OS: row.OS, Architecture: row.Architecture}}
	if node.platform.OS != "" && node.platform.Architecture != "" {
		node.listed = digestNames(row.Images)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	before, known := w.nodes[row.Name]
	if known && before.platform == node.platform && slices.Equal(before.listed, node.listed) {
		node.listed = before.listed
		w.nodes[row.Name] = node
		return
	}
	w.nodes[row.Name] = node
	fresh := w.count(node, 1)
	if known {
		w.count(before, -1)
	}
	if fresh {
		w.poke()
	}
}

// NodeDeleted implements NodeListener.
func (w *Wants) NodeDeleted(name string, uid types.UID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if known, found := w.nodes[name]; found && (uid == "" || known.uid == uid) {
		w.count(known, -1)
		delete(w.nodes, name)
	}
}

// count adds a node, or with -1 takes it away, and reports whether that gave something to ask about. The caller holds mu.
func (w *Wants) count(node wantingNode, change int) (fresh bool) {
	if node.platform.OS == "" || node.platform.Architecture == "" {
		return false
	}
	w.platforms[node.platform] += change
	switch w.platforms[node.platform] {
	case 0:
		delete(w.platforms, node.platform)
	case change: // the first one
		for ref := range w.waiting {
			w.fresh[ref] = struct{}{}
		}
		fresh = len(w.waiting) > 0
	}
	for _, ref := range node.listed {
		fresh = w.listed.count(nodeImage{ref, node.platform}, change) || fresh
	}
	return fresh
}

// digestNames returns the first name by digest of each image that has one: a tag may name another image by now.
func digestNames(images []ledger.ListedImage) []imageref.Ref {
	names := make([]imageref.Ref, 0, len(images))
	for i := range images {
		if first := slices.IndexFunc(images[i].Refs, func(ref imageref.Ref) bool { return ref.Digest() != "" }); first >= 0 {
			names = append(names, images[i].Refs[first])
		}
	}
	return names
}
