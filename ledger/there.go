// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"slices"

	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/imagesize"
)

// coming is an image that is on its way to a node, or just arrived: what it brings
// need not be brought again.
type coming struct {
	*known
	// certain is unset for what may never come.
	certain bool
}

// Pull returns what pulling an image adds to the node's disk, with the layers that
// are there, those of images that are on their way, and those of the images that the
// view's pod pulls before: each as far as it is known. The row must be of the same
// snapshot.
func (a *Accounts) Pull(row *NodeRow, ref imageref.Ref, before []imageref.Ref) imagesize.Size {
	c := a.on(row)
	ahead := c.ahead
	for _, earlier := range before {
		if k := a.s.layersOf(earlier, c.kind.platform); k != nil {
			ahead = append(slices.Clip(ahead), coming{k, true})
		}
	}
	return c.pull(ref, ahead)
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

// on is the accountant of a node.
func (a *Accounts) on(row *NodeRow) *accountant {
	if a.current == nil || a.current.row != row.row {
		a.Of(row)
	}
	return a.current
}

// pull is Accounts.Pull with the images ahead of this one.
func (a *accountant) pull(ref imageref.Ref, ahead []coming) imagesize.Size {
	return a.sizeWith(ref, a.there(ref, ahead))
}

// there finds what of an image's layers is on the node.
func (a *accountant) there(ref imageref.Ref, ahead []coming) imagesize.There {
	x := a.s.layersOf(ref, a.kind.platform)
	if x == nil {
		return imagesize.There{Related: a.related(ref)}
	}
	h := a.s.holdingsOf(a.row)
	there := imagesize.There{HiddenBytes: h.hidden.largestBytes, HiddenTotalBytes: h.hidden.totalBytes}
	if m := a.row.measurement; m != nil && a.result.Tier == Measured {
		// Nothing is larger than all that is on the disk.
		used := max(m.CapacityBytes-m.AvailableBytes, 0)
		there.HiddenBytes, there.HiddenTotalBytes = min(there.HiddenBytes, used), min(there.HiddenTotalBytes, used)
	}
	for i, k := range h.listed {
		if k == nil || !k.marks.meet(&x.marks) || slices.Contains(a.unsampled, i) {
			continue
		}
		shared := a.shared(x, k)
		there.Likely = there.Likely.Or(shared)
		if h.inUse[i] {
			there.Sure = there.Sure.Or(shared)
		}
	}
	for i := range h.pulled {
		if p := &h.pulled[i]; p.marks.meet(&x.marks) && !a.claimed(p.ref) {
			there.Sure = there.Sure.Or(a.shared(x, p.known))
		}
	}
	for i := range ahead {
		if !ahead[i].marks.meet(&x.marks) {
			continue
		}
		shared := a.shared(x, ahead[i].known)
		there.Possible = there.Possible.Or(shared)
		if ahead[i].certain {
			there.Sure = there.Sure.Or(shared)
		}
	}
	there.Likely = there.Likely.Or(there.Sure)
	there.Possible = there.Possible.Or(there.Likely)
	return there
}

// claimed reports whether the image's bytes are counted as settled or pending.
func (a *accountant) claimed(ref imageref.Ref) bool {
	return slices.ContainsFunc(a.row.facts.claims, func(c claim) bool { return c.ref == ref && c.state != spent })
}

// pair is two images that may share layers.
type pair struct{ of, with *known }

// shared is Manifest.SharedWith, asked once for two images.
func (a *Accounts) shared(of, with *known) imagesize.Shared {
	if of == with {
		return imagesize.All(&of.Manifest)
	}
	key := pair{of, with}
	s, found := a.pairs[key]
	if !found {
		s = of.SharedWith(&with.Manifest)
		if a.pairs == nil {
			a.pairs = make(map[pair]imagesize.Shared)
		}
		a.pairs[key] = s
	}
	return s
}

// related reports whether the node lists another image of the repository.
func (a *accountant) related(ref imageref.Ref) bool {
	if len(a.row.list.images) == 0 {
		return false
	}
	own, listed := a.row.list.find(ref)
	for _, i := range a.row.list.byRepository[ref.Repository()] {
		if (!listed || i != own) && !slices.Contains(a.unsampled, i) {
			return true
		}
	}
	return false
}
