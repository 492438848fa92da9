// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"hash/maphash"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/headroom-dev/headroom/imagesize"
)

// nodeState is what writers know about one node. It is a ghost, and in no
// snapshot, while node is nil.
type nodeState struct {
	name string
	node *Node // without its images, which are in list
	list *imageList
	slot int
	// index is that in Ledger.byIndex, ghosts have one, too.
	index uint32
	seed  maphash.Seed // of the hashes of names

	measurement *Measurement
	lines       *Lines // nil: defaults
	linesUID    types.UID
	// lostBytes is the sum of the decreases of AvailableBytes between samples.
	lostBytes int64

	pods []*podState // by UID
	// parked are the pods of which nothing more comes until they change; snapshots share them.
	parked parking
	gone   []*podState // deleted a short while ago, oldest first
	facts  *facts      // of pods, gone and list; nil where they have to be made
	stale  bool        // its row has to be made before the next publication

	// watch is a pull that is watched, nil for none; calm is how many samples in a row
	// have seen nothing under way.
	watch *watch
	calm  int
}

func (l *Ledger) nodeNamed(name string) *nodeState {
	n := l.nodes[name]
	if n == nil {
		n = &nodeState{name: name, index: uint32(l.indices.take()), seed: l.next.seed} //nolint:gosec // there are fewer nodes
		for len(l.byIndex) <= int(n.index) {
			l.byIndex = append(l.byIndex, nil)
		}
		l.nodes[name], l.byIndex[n.index] = n, n
	}
	return n
}

// forgetUnused drops a ghost that holds nothing.
func (l *Ledger) forgetUnused(n *nodeState) {
	if n.node == nil && len(n.pods)+n.parked.len() == 0 && n.measurement == nil && n.lines == nil {
		delete(l.nodes, n.name)
		l.byIndex[n.index] = nil
		l.indices.release(int(n.index))
	}
}

// SetNode writes a node's row. A node with another UID than the one held is a
// new node of the same name: nothing that was measured or seen of the old one is
// kept but its pods. A node that has been deleted or replaced stays so.
func (l *Ledger) SetNode(node Node) {
	images := node.Images
	node.Images = nil
	l.KeepNode(&node, images)
}

// KeepNode is SetNode for a row without its images that the caller has, too, and never changes.
func (l *Ledger) KeepNode(node *Node, images []ListedImage) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if node.Name == "" || l.deadNodes.has(node.UID) {
		return
	}
	n := l.nodeNamed(node.Name)
	old := n.node
	switch {
	case old == nil:
		n.slot = l.nodeSlots.take()
		n.dropForeign(node.UID)
	case old.UID != node.UID:
		l.deadNodes.bury(old.UID)
		n.reset()
	case sameNode(old, node) && sameImages(n.list, images):
		return
	}
	before := n.list
	if old == nil || old.UID != node.UID || !sameImages(n.list, images) {
		n.list = l.newImageList(images)
		if n.list.lost(before) {
			n.disturb()
		}
		n.facts = nil
	}
	n.node = node
	l.count(old, before, n)
	if before != n.list {
		l.numbers.release(before)
	}
	l.candidacy(n, old)
	l.changeRow(n)
	l.publishSoon()
}

// ListedImages returns the images that were last written of a node, nil where they say nothing.
func (l *Ledger) ListedImages(node string) []ListedImage {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n := l.nodes[node]; n != nil && n.list != nil {
		return n.list.whole()
	}
	return nil
}

// HasNode reports whether there is a node of that name, after every write that has returned. It waits for writers.
func (l *Ledger) HasNode(name string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := l.nodes[name]
	return n != nil && n.node != nil
}

// DeleteNode takes a node away. Its pods are kept: they may be deleted later, or
// the node may come back under another UID. An empty uid means whichever node has
// that name; another UID than the one held is a late event and ignored.
func (l *Ledger) DeleteNode(name string, uid types.UID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.deadNodes.bury(uid)
	n := l.nodes[name]
	if n == nil {
		return
	}
	if n.node == nil {
		if m := n.measurement; m != nil && m.NodeUID == uid {
			n.measurement = nil
			n.restartLoss()
			l.forgetUnused(n)
		}
		return
	}
	if uid != "" && uid != n.node.UID {
		return
	}
	old, before := n.node, n.list
	l.deadNodes.bury(old.UID)
	n.reset()
	n.node, n.list = nil, nil
	l.count(old, before, n)
	l.numbers.release(before)
	l.candidacy(n, old)
	l.nodeSlots.release(n.slot)
	l.next.released++
	if l.synced {
		l.next.rows = l.next.rows.without(name)
		l.changed = true
	}
	l.forgetUnused(n)
	l.publishSoon()
}

// dropForeign forgets what arrived before the node itself and was of another one.
func (n *nodeState) dropForeign(uid types.UID) {
	if m := n.measurement; m != nil && m.NodeUID != "" && m.NodeUID != uid {
		n.measurement = nil
		n.restartLoss()
	}
	if n.lines != nil && n.linesUID != "" && n.linesUID != uid {
		n.lines = nil
	}
}

// restartLoss counts the lost bytes from zero: those so far were another node's.
func (n *nodeState) restartLoss() {
	n.lostBytes, n.facts = 0, nil
	for _, p := range n.pods {
		for i := range p.latches {
			p.latches[i].baselineBytes, p.latches[i].endBytes = 0, 0
		}
	}
	n.parked = n.parked.withRests((*parkedRest).restarted)
}

// reset forgets what belonged to the node object that is gone.
func (n *nodeState) reset() {
	n.measurement, n.lines, n.linesUID, n.lostBytes = nil, nil, "", 0
	n.facts, n.gone = nil, nil
	n.disturb()
	for _, p := range n.pods {
		for i := range p.latches {
			old := p.latches[i]
			p.latches[i] = unwatched(&p.pod.Images[i], 0)
			p.latches[i].failingSince, p.latches[i].pulledAt = old.failingSince, old.pulledAt
		}
	}
	n.parked = n.parked.withRests((*parkedRest).unwatched)
}

// count keeps reports and platforms in step with a node's change from old, with its list, to what it is now.
func (l *Ledger) count(old *Node, list *imageList, n *nodeState) {
	node := n.node
	if old != nil && node != nil && old.Runtime == node.Runtime && platformOf(old) == platformOf(node) && list == n.list {
		return
	}
	before := len(l.platforms)
	if node != nil {
		l.platforms[platformOf(node)]++
		l.report(node, n.list, 1)
	}
	if old != nil {
		p := platformOf(old)
		if l.platforms[p]--; l.platforms[p] == 0 {
			delete(l.platforms, p)
			before = -1
		}
		l.report(old, list, -1)
	}
	if l.synced && before != len(l.platforms) {
		l.next.platforms = l.sortedPlatforms()
	}
}

func platformOf(n *Node) imagesize.Platform {
	return imagesize.Platform{OS: n.OS, Architecture: n.Architecture}
}

func sameTaints(a, b []corev1.Taint) bool {
	return slices.EqualFunc(a, b, func(x, y corev1.Taint) bool { // TimeAdded is nobody's concern.
		return x.Key == y.Key && x.Value == y.Value && x.Effect == y.Effect
	})
}

func sameNode(a, b *Node) bool {
	return a.UID == b.UID && a.BootID == b.BootID && a.Runtime == b.Runtime &&
		a.EphemeralStorageBytes == b.EphemeralStorageBytes && a.Unschedulable == b.Unschedulable &&
		a.Ready == b.Ready && a.DiskPressure == b.DiskPressure && a.Allocatable.Equal(b.Allocatable) &&
		a.OS == b.OS && a.Architecture == b.Architecture && a.Hostname == b.Hostname && maps.Equal(a.Labels, b.Labels) && sameTaints(a.Taints, b.Taints)
}
