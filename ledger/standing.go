// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"iter"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/headroom-dev/headroom/estimate"
	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/imagesize"
)

// Nobody is a namespace that no pod has: the view of [Accounts.Standing] is nobody's.
const Nobody = "\x00nobody"

// RowID tells one version of a node's row from all others that are in use. It is comparable.
type RowID struct{ row *row }

// ID returns the row's.
func (r *NodeRow) ID() RowID { return RowID{r.row} }

// IsAccountedAs reports whether the rows of one node differ in nothing that an account depends on, nor who may land there. It may
// be false where they don't.
func (id RowID) IsAccountedAs(o RowID) bool {
	a, b := id.row, o.row
	return a.node == b.node && a.slot == b.slot && a.list == b.list && a.measurement == b.measurement && a.lines == b.lines &&
		a.lostBytes == b.lostBytes && a.facts.unsettled == b.facts.unsettled && a.facts.uses.same(&b.facts.uses) && a.free.Equal(b.free)
}

// TellsNodeOf reports whether all that a Node object tells is the very same in both rows.
func (id RowID) TellsNodeOf(o RowID) bool { return id.row.node == o.row.node }

// Row returns the row with that ID, which must be in the snapshot: rows that did not change are the same in many.
func (s *Snapshot) Row(id RowID) NodeRow { return NodeRow{Node: id.row.node, row: id.row, snapshot: s} }

// Standing returns the node's account without what is reserved. It is the same in all snapshots that have the row and the
// same sizes, and for all views that the row does not concern, up to a time; see [Snapshot.ResizedSince], [NodeRow.Concerns] and
// [Accounts.StandsUntil]. The view must have no pod: that of [Nobody] has no images either, another one is that of the pods of a
// namespace with those images.
func (a *Accounts) Standing(row *NodeRow) Account {
	c := a.begin(row)
	r := &c.result
	if r.Tier != NoTier {
		c.claims()
		c.reclaimable()
		r.Available = r.Measured.Minus(r.Settled).Minus(r.Pending)
	}
	return *r
}

// WithReserved returns the account of a node with what is reserved there.
func (a Account) WithReserved(reserved estimate.Bytes) Account {
	a.Reserved = reserved
	a.Available = a.Measured.Minus(a.Settled).Minus(a.Pending).Minus(reserved)
	return a
}

// Gains reports whether for some pod more may likely be available on the node than for [Nobody], reservations aside: where it is
// not sure what has become of an image of its own. For all others it is as much.
func (a *Accounts) Gains(row *NodeRow) bool {
	c := a.at(row)
	for i := range c.row.facts.claims {
		d, concerned := c.due(&c.row.facts.claims[i])
		if concerned && d.state != spent && (d.doubtful || d.gone || d.state == settled && c.row.presence(d.ref, c.kind) != Present) {
			return true
		}
	}
	return false
}

// AgeOf returns how old the node's sample is, as in [Account.SampleAge].
func AgeOf(row *NodeRow, now time.Time) time.Duration {
	m := row.row.measurement
	if m == nil {
		return 0
	}
	return max(m.AgeAtReceipt+now.Sub(m.ReceivedAt), 0)
}

// StandsUntil returns the first moment after the view's at which the node's account, or what may be present there, is another
// one though nobody has written anything. Zero for never.
func (a *Accounts) StandsUntil(row *NodeRow) time.Time {
	var until time.Time
	flips := func(at time.Time) {
		if at.After(a.view.Now) && (until.IsZero() || at.Before(until)) {
			until = at
		}
	}
	if m := row.row.measurement; m != nil {
		taken := m.ReceivedAt.Add(-m.AgeAtReceipt)
		if a.view.MaxStaleness > 0 {
			flips(taken.Add(a.view.MaxStaleness + 1))
			flips(taken.Add(a.view.staleAfter(m, *row.row.lines) + 1))
		}
		flips(taken.Add(goneMemory))
	}
	for i := range row.row.facts.claims {
		for _, w := range row.row.facts.claims[i].wanters {
			if !w.failingSince.IsZero() {
				flips(w.failingSince.Add(failingGrace))
			}
			if !w.goneAt.IsZero() {
				flips(w.goneAt.Add(goneMemory))
			}
		}
	}
	return until
}

// Claimed reports whether images cost bytes there that the sample may not show: only then the row may concern a view.
func (r *NodeRow) Claimed() bool { return len(r.row.facts.claims) > 0 }

// Awaited returns the pods that wait for images of theirs at the node, or did a short while ago.
func (r *NodeRow) Awaited() iter.Seq[types.UID] {
	return func(yield func(types.UID) bool) {
		for i := range r.row.facts.claims {
			for k := range r.row.facts.claims[i].wanters {
				if !yield(r.row.facts.claims[i].wanters[k].pod) {
					return
				}
			}
		}
	}
}

// ClaimedFor returns the namespaces and the images by which the row may concern a view, see [NodeRow.Concerns].
func (r *NodeRow) ClaimedFor() (namespaces []string, images []imageref.Ref) {
	for i := range r.row.facts.claims {
		c := &r.row.facts.claims[i]
		images, namespaces = append(images, c.ref), append(namespaces, c.starters...)
		for k := range c.wanters {
			namespaces = append(namespaces, c.wanters[k].namespace)
		}
	}
	return namespaces, images
}

// Concerns reports whether what is settled and pending on the node may be another sum for a pod of the namespace with these
// images than for anybody. One of [NodeRow.Awaited] it concerns in any case.
func (r *NodeRow) Concerns(namespace string, images []imageref.Image) bool {
	for i := range r.row.facts.claims {
		c := &r.row.facts.claims[i]
		for k := range images {
			if images[k].Ref == c.ref {
				return true
			}
		}
		for k := range c.wanters {
			if c.wanters[k].namespace == namespace {
				return true
			}
		}
		if slices.Contains(c.starters, namespace) {
			return true
		}
	}
	return false
}

// SameSizes reports whether everybody says the same of all images in both snapshots.
func (s *Snapshot) SameSizes(o *Snapshot) bool {
	return s.reports.same(o.reports) && s.manifests.same(o.manifests) && s.digests.same(o.digests) && s.pulled.same(o.pulled) &&
		s.observed.same(o.observed) && s.lessons == o.lessons && slices.Equal(s.platforms, o.platforms)
}

// SameSize reports whether everybody says the same of one image in both snapshots, for nodes of that kind.
func (s *Snapshot) SameSize(o *Snapshot, ref imageref.Ref, rt imagesize.Runtime, p imagesize.Platform, pool imagesize.PoolKey) bool {
	a, b := s.Evidence(ref, rt, p), o.Evidence(ref, rt, p)
	return a.Reported == b.Reported && a.Pulled == b.Pulled && a.Manifest == b.Manifest && s.Observed(pool, ref) == o.Observed(pool, ref)
}

// SameReservations reports whether the same pods wait for the same nodes in both snapshots, and for none of those images.
func (s *Snapshot) SameReservations(o *Snapshot, resized *Resized) bool {
	same := func(a, b []*reservation) bool { return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0]) }
	sameNodes := func(a, b []*candidates) bool { return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0]) }
	return same(s.reservations, o.reservations) && sameNodes(s.candidates, o.candidates) &&
		!slices.ContainsFunc(s.reservations, func(r *reservation) bool { return resized.has(r.hash) })
}

// Expected returns of how many pods that are not bound any node likely gets one which wants the image, at the most; and whether
// some pod wants it at all.
func (s *Snapshot) Expected(ref imageref.Ref) (pods float64, wanted bool) {
	r := s.reservationOf(ref)
	if r == nil {
		return 0, false
	}
	for i := range r.wants {
		w := &r.wants[i]
		switch {
		case w.nominated != "":
			pods += float64(w.eager + w.held)
		case w.eager > 0:
			pods += float64(w.eager) / float64(max(s.candidates[w.group].possibleCount, 1))
		}
	}
	return pods, true
}

// Wants is what pods of one namespace that are not bound want.
type Wants struct {
	// Images are those that may come any time, each once.
	Images []imageref.Ref
	// Certain is set where some of them are sure to come to a certain node.
	Certain bool
}

// Wants returns what pods that are not bound want, by namespace.
func (s *Snapshot) Wants() map[string]*Wants {
	all := make(map[string]*Wants)
	for _, r := range s.reservations {
		for i := range r.wants {
			w := &r.wants[i]
			of := all[w.namespace]
			if of == nil {
				of = new(Wants)
				all[w.namespace] = of
			}
			of.Certain = of.Certain || w.nominated != "" || w.eager > 0 && s.candidates[w.group].tiedCount == 1
			if n := len(of.Images); w.eager > 0 && (n == 0 || of.Images[n-1] != r.ref) {
				of.Images = append(of.Images, r.ref)
			}
		}
	}
	return all
}
