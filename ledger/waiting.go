// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"slices"

	"github.com/headroom-dev/headroom/imageref"
)

// Waiting is an image that pods wait for which may still be bound to one of several
// nodes: wherever that is, it will be pulled once at least, unless it is there.
type Waiting struct {
	Ref imageref.Ref

	groups []*candidates
}

// Possible reports whether one of the pods could ever land on the node, TiedTo
// whether it could if there were no taints; see placement. The row must be of the
// same snapshot.
func (w *Waiting) Possible(row *NodeRow) bool {
	return slices.ContainsFunc(w.groups, func(c *candidates) bool { return c.possible.has(row.row.slot) })
}

// TiedTo is explained at [Waiting.Possible].
func (w *Waiting) TiedTo(row *NodeRow) bool {
	return slices.ContainsFunc(w.groups, func(c *candidates) bool { return c.tied.has(row.row.slot) })
}

// Nodes is about how many nodes that are.
func (w *Waiting) Nodes() int {
	nodes := 0
	for _, c := range w.groups {
		nodes += c.possibleCount
	}
	return nodes
}

// Waiting returns the images, by name, that pods of the view's namespace wait for.
// Left out are gated and unschedulable pods, the pod judged, and the view's images;
// images that the low bound of some node's [Account.Reserved] has already, and those
// for which no node is left.
func (a *Accounts) Waiting() []Waiting {
	var waiting []Waiting
	for _, r := range a.s.reservations {
		if slices.Contains(a.view.Images, r.ref) {
			continue
		}
		if w := (Waiting{Ref: r.ref, groups: a.undecided(r)}); len(w.groups) > 0 {
			waiting = append(waiting, w)
		}
	}
	return waiting
}

// undecided returns where the pods of the view's namespace can land that want an
// image; nil if one of them is sure to bring it to a certain node.
func (a *Accounts) undecided(r *reservation) []*candidates {
	var groups []*candidates
	for i := range r.wants {
		w := &r.wants[i]
		eager, held := a.waitFor(w, r.ref)
		if w.namespace != a.view.Namespace || eager+held <= 0 {
			continue
		}
		set := a.s.candidates[w.group]
		switch {
		case w.nominated != "", eager > 0 && set.tiedCount == 1:
			return nil
		case eager > 0 && set.possibleCount > 0:
			groups = append(groups, set)
		}
	}
	return groups
}
