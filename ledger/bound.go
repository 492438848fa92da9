// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"math"

	"github.com/headroom-dev/headroom/imageref"
)

// Presence is [NodeRow.Presence], but for what a fresh sample rules out: an image
// that would take more than [Accounts.HoldsAtMost] is absent. So a kubelet that has
// no image at all, and sends a list that says nothing, can be judged. The row must
// be of the same snapshot.
func (a *Accounts) Presence(row *NodeRow, ref imageref.Ref) Presence {
	c := accountant{Accounts: a, node: row, row: row.row, kind: a.kindOf(row)}
	presence := c.listedOrUsed(ref)
	if presence == PresenceUnsure && c.size(ref).Disk.Low > a.HoldsAtMost(row, ref) {
		return Absent
	}
	return presence
}

// HoldsAtMost returns the most bytes that an image can have on the node's disk, if
// it is there: all that the sample says is in use, whatever layers are shared.
// math.MaxInt64 where there is no fresh sample, or the image may be newer: a pod
// there wants it, or had it, or may have and is forgotten. The row must be of the same snapshot.
func (a *Accounts) HoldsAtMost(row *NodeRow, ref imageref.Ref) int64 {
	c := accountant{Accounts: a, node: row, row: row.row}
	c.disk()
	return c.holdsAtMost(ref)
}

// holdsAtMost is HoldsAtMost once disk has been called.
func (a *accountant) holdsAtMost(ref imageref.Ref) int64 {
	if a.result.Tier != Measured || a.result.Old || a.result.SampleAge >= goneMemory || a.row.facts.of(ref) != (use{}) {
		return math.MaxInt64
	}
	if m := a.row.measurement; m.AvailableBytes <= m.CapacityBytes {
		return m.CapacityBytes - m.AvailableBytes
	}
	return math.MaxInt64
}

// listedOrUsed is the row's own presence of an image.
func (a *accountant) listedOrUsed(ref imageref.Ref) Presence {
	// Images are asked about in their order, so that the search mostly ends where it begins.
	for n := range a.view.Images {
		i := (a.next + n) % len(a.view.Images)
		if a.view.Images[i] != ref {
			continue
		}
		a.next = i + 1
		if !a.row.mayConcern(a.hashes[i]) {
			return a.row.absence(ref, false, a.kind)
		}
		break
	}
	return a.row.presence(ref, a.kind)
}

// certainlyAbsent reports whether an image of at least that many bytes on disk is
// not on the node.
func (a *accountant) certainlyAbsent(ref imageref.Ref, low int64) bool {
	switch a.row.presence(ref, a.kind) {
	case Absent:
		return true
	case PresenceUnsure:
		return low > a.holdsAtMost(ref)
	case Present:
		return false
	default:
		return false
	}
}
