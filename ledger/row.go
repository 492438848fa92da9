// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"iter"
	"slices"

	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/placement"
)

// row is what is known about a node at one moment. It never changes, and is
// shared by all snapshots from one change of the node to the next.
type row struct {
	node        *Node
	slot        int
	list        *imageList
	facts       *facts
	measurement *Measurement
	lines       *Lines
	lostBytes   int64
	free        placement.Resources
}

// newRow shares everything with the writers' state but what they change in place.
func newRow(n *nodeState) *row {
	r := &row{
		node: n.node, slot: n.slot, list: n.list, facts: n.facts,
		measurement: n.measurement, lines: &defaultLines, lostBytes: n.lostBytes,
	}
	if n.lines != nil {
		r.lines = n.lines
	}
	r.free = n.node.Allocatable.Minus(n.facts.requests)
	return r
}

// NodeRow is one node in one snapshot. Nothing in it may be changed.
type NodeRow struct {
	*Node

	row      *row
	snapshot *Snapshot
}

// Measurement returns the newest sample, and false when there is none.
func (r *NodeRow) Measurement() (Measurement, bool) {
	if r.row.measurement == nil {
		return Measurement{}, false
	}
	return *r.row.measurement, true
}

// Lines returns the kubelet's settings, or the defaults where it did not tell.
func (r *NodeRow) Lines() Lines { return *r.row.lines }

// Free returns what the pods bound here and not finished leave of the node's
// allocatable resources. It may be negative.
func (r *NodeRow) Free() placement.Resources { return r.row.free }

// Pods returns the pods bound here, finished ones too, by namespace and name.
func (r *NodeRow) Pods() iter.Seq[*Pod] { return slices.Values(r.row.facts.rows(r.Name)) }

// Uses reports whether a pod that is bound here and not finished needs the image,
// by this name or by its digest.
func (r *NodeRow) Uses(ref imageref.Ref) bool {
	if i, listed := r.row.list.find(ref); listed {
		return !r.row.facts.unused.has(i)
	}
	return r.row.facts.of(ref).running
}

// AwaitsPull reports whether a pod bound here may still have an image to pull, or
// one that was deleted may have left bytes that no sample has seen.
func (r *NodeRow) AwaitsPull() bool {
	return slices.ContainsFunc(r.row.facts.claims, func(c claim) bool { return c.state == pending })
}

// Listed returns the node's entry for an image, by any of its names.
func (r *NodeRow) Listed(ref imageref.Ref) (ListedImage, bool) {
	i, found := r.row.list.find(ref)
	if !found {
		return ListedImage{}, false
	}
	return r.row.list.images[i].ListedImage, true
}

// Lists reports whether the node lists the very image that a pod has, by the name of the pod's status or else of its spec.
func (r *NodeRow) Lists(image *PodImage) bool { return r.row.lists(image) }

// Images returns the node's list; see ImagesListed.
func (r *NodeRow) Images() iter.Seq[*ListedImage] {
	return func(yield func(*ListedImage) bool) {
		for _, image := range r.row.list.images {
			if !yield(&image.ListedImage) {
				return
			}
		}
	}
}

// ImagesListed returns how many images the node lists, and false where its list says
// nothing.
func (r *NodeRow) ImagesListed() (count int, told bool) {
	return len(r.row.list.images), r.row.list.images != nil
}

// ListCut reports whether the node may have images that it does not list: the
// kubelet cuts its list (nodeStatusMaxImages), and a nil list says nothing.
func (r *NodeRow) ListCut() bool {
	return r.row.list.images == nil || r.row.lines.cuts(len(r.row.list.images))
}

// mayConcern reports whether the node may have the image, or a pod bound to it may
// use it, by the image's nameHash. False is sure.
func (r *row) mayConcern(hash uint64) bool {
	return r.list.mayHold(hash) || r.facts.uses.of(hash) != use{}
}

// Presence says whether the image is on the node.
//
// It is where the node lists it, or where a pod that is not finished has pulled it.
// A list that is nil says nothing, nor does one where an entry of the same
// repository has so many names that some may have been cut. An image that a
// finished pod has pulled, or one that was deleted in the last two minutes may
// have, could have been removed since, or the list, which is up to 40 seconds
// behind, may not have it yet. Otherwise what is not listed is absent, but
// for images that the cut may have left out: the list holds the largest ones, so
// an image larger than the smallest listed one is absent, too. Its size must then
// be known in the runtime's own unit: other nodes of the same runtime and
// platform report it, or, for containerd, the registry does.
func (r *NodeRow) Presence(ref imageref.Ref) Presence {
	return r.row.presence(ref, r.snapshot)
}

// sizer knows the least size of images in the unit of a node's runtime.
type sizer interface {
	reportedAtLeast(ref imageref.Ref, n *Node) int64
}

func (r *row) presence(ref imageref.Ref, sizes sizer) Presence {
	used := r.facts.of(ref)
	if _, listed := r.list.find(ref); listed || used.pulled {
		return Present
	}
	return r.absence(ref, used.had, sizes)
}

// absence is the presence of an image that is neither listed nor pulled by a pod
// that is not finished. had says that a finished one has pulled it.
func (r *row) absence(ref imageref.Ref, had bool, sizes sizer) Presence {
	list := r.list
	switch {
	case list.images == nil || list.mayHide(ref) || had:
		return PresenceUnsure
	case !r.lines.cuts(len(list.images)):
		return Absent
	case len(list.images) > 0 && sizes.reportedAtLeast(ref, r.node) > list.smallestBytes:
		return Absent
	default:
		return PresenceUnsure
	}
}
