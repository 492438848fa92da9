// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"math"
	"slices"

	"github.com/headroom-dev/headroom/estimate"
	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/imagesize"
)

// coming is an image that is on its way to a node, or just arrived: what it brings
// need not be brought again.
type coming struct {
	ref        imageref.Ref
	repository string // of ref
	// known is nil where its layers are not known.
	*known
	// certain is unset for what may never come.
	certain bool
	// hiddenBytes bounds its size, in the unit of the node's runtime, where its layers are
	// not known and a sample may have seen some of it; 0 otherwise.
	hiddenBytes int64
}

// Pull returns what pulling an image adds to the node's disk, with the layers that
// are there and those of images that are on their way: each as far as it is known.
// The row must be of the same snapshot.
func (a *Accounts) Pull(row *NodeRow, ref imageref.Ref) imagesize.Size {
	c := a.on(row)
	return c.pull(ref, c.ahead)
}

// Missing returns the layers of the image that the node likely lacks, and false where
// they are not known. The row must be of the same snapshot.
func (a *Accounts) Missing(row *NodeRow, ref imageref.Ref) (imagesize.Stored, bool) {
	c := a.on(row)
	k := a.s.layersOf(ref, c.kind.platform)
	if k == nil {
		return imagesize.Stored{}, false
	}
	return k.Missing(c.there(ref, c.ahead).Likely), true
}

// Pulling is [Account.Pulling] of the node. The row must be of the same snapshot.
func (a *Accounts) Pulling(row *NodeRow) []imageref.Ref { return a.on(row).result.Pulling }

// on is the accountant of a node.
func (a *Accounts) on(row *NodeRow) *accountant {
	if c := a.current; c != nil && c.row == row.row && c.drawn {
		return c
	}
	if a.view.Namespace != Nobody {
		a.Of(row)
		return a.current
	}
	// Nothing that is reserved is sure to come, so that nothing of it is on its way. What a pull brings does not depend on what is
	// measured, which takes the sizes of all that is listed where nothing has been.
	c := a.at(row)
	if c.drawn = true; c.result.Tier != NoTier {
		c.claims()
	}
	return c
}

// pull is Accounts.Pull with the images ahead of this one.
func (a *accountant) pull(ref imageref.Ref, ahead []coming) imagesize.Size {
	return a.sizeWith(ref, a.there(ref, ahead))
}

// there finds what of an image's layers is on the node.
func (a *accountant) there(ref imageref.Ref, ahead []coming) imagesize.There {
	return a.thereOf(ref, a.s.layersOf(ref, a.kind.platform), ahead)
}

// thereOf is there with what is known of the image's layers, nil for nothing.
func (a *accountant) thereOf(ref imageref.Ref, x *known, ahead []coming) imagesize.There {
	if x == nil {
		return imagesize.There{Related: a.related(ref, ahead)}
	}
	h := a.s.holdingsOf(a.row)
	there := imagesize.There{HiddenBytes: h.hidden.largestBytes, HiddenTotalBytes: h.hidden.totalBytes}
	if used, bounded := a.usedByAll(h); bounded {
		// Nothing is larger than all that is on the disk.
		there.HiddenBytes, there.HiddenTotalBytes = min(there.HiddenBytes, used), min(there.HiddenTotalBytes, used)
	}
	sharing := a.sharingOf(x)
	for _, l := range a.listedImages(h) {
		shared := sharing.with(l.image)
		there.Likely = there.Likely.Or(shared)
		if l.inUse {
			there.Sure = there.Sure.Or(shared)
		}
	}
	for i := range h.pulled {
		if p := &h.pulled[i]; p.known != nil && !a.claimed(p.ref) {
			there.Sure = there.Sure.Or(sharing.with(a.numbered(p.known)))
		}
	}
	for i := range h.perhaps {
		if p := &h.perhaps[i]; p.known != nil {
			there.Possible = there.Possible.Or(sharing.with(a.numbered(p.known)))
		}
	}
	a.bring(&there, sharing, ahead)
	there.Likely = there.Likely.Or(there.Sure)
	there.Possible = there.Possible.Or(there.Likely)
	return there
}

// bring adds what of an image comes with others that are on their way.
func (a *accountant) bring(there *imagesize.There, sharing *sharing, ahead []coming) {
	for i := range ahead {
		c := &ahead[i]
		if c.known == nil {
			there.HiddenBytes = max(there.HiddenBytes, c.hiddenBytes)
			there.HiddenTotalBytes = estimate.SaturatingAdd(there.HiddenTotalBytes, c.hiddenBytes)
			continue
		}
		shared := sharing.with(a.numbered(c.known))
		there.Possible = there.Possible.Or(shared)
		if c.certain {
			there.Sure = there.Sure.Or(shared)
		}
	}
}

// claimedBy is what a claim brings.
func (a *accountant) claimedBy(d *due) coming {
	c := coming{ref: d.ref, repository: d.ref.Repository(), known: a.brings(d.ref), certain: !d.doubtful && !d.gone}
	if c.known == nil {
		// It may even be the same image by another name.
		c.hiddenBytes = a.reportedAtMost(d.ref)
	}
	return c
}

// reportedAtMost is the largest size, in the unit of the node's runtime, that nodes or
// a registry tell of the image; math.MaxInt64 for unknown.
func (a *accountant) reportedAtMost(ref imageref.Ref) int64 {
	e := a.s.Evidence(ref, a.kind.runtime, a.kind.platform)
	bytes := e.Reported.High
	if e.Manifest != nil {
		told := estimate.Exactly(e.Manifest.CompressedBytes).Times(imagesize.CompressedFactor(a.kind.runtime))
		bytes = max(bytes, told.High)
	}
	if bytes <= 0 {
		return math.MaxInt64
	}
	return bytes
}

// usedByAll is what is in use on the disk, by a sample that nothing can have come after.
func (a *accountant) usedByAll(h *holdings) (bytes int64, bounded bool) {
	if a.result.Tier != Measured || a.result.Old || a.result.SampleAge >= goneMemory || len(h.perhaps) > 0 ||
		slices.ContainsFunc(a.row.facts.claims, func(c claim) bool { return c.state != spent }) {
		return 0, false
	}
	return max(a.row.measurement.CapacityBytes-a.row.measurement.AvailableBytes, 0), true
}

// claimed reports whether the image's bytes are counted as settled or pending.
func (a *accountant) claimed(ref imageref.Ref) bool {
	return slices.ContainsFunc(a.row.facts.claims, func(c claim) bool { return c.ref == ref && c.state != spent })
}

// brings returns the layers of an image that is claimed: of the one that the node has
// by that name, if it has it.
func (a *accountant) brings(ref imageref.Ref) *known {
	h := a.s.holdingsOf(a.row)
	if i, listed := a.row.list.find(ref); listed {
		return h.layers(i)
	}
	for i := range h.pulled {
		if h.pulled[i].ref == ref {
			return h.pulled[i].known
		}
	}
	return a.s.layersOf(ref, a.kind.platform)
}

// related reports whether an image of the repository is on the node or on its way: one
// of another version may be nearly the same.
func (a *accountant) related(ref imageref.Ref, ahead []coming) bool {
	repository := ref.Repository()
	for i := range a.row.list.ofRepository(repository) {
		if !slices.Contains(a.unsampled, i) {
			return true
		}
	}
	return slices.ContainsFunc(ahead, func(c coming) bool { return c.repository == repository })
}
