// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/headroom-dev/headroom/estimate"
	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/imagesize"
)

// failingGrace is how long an image may fail to be pulled before it no longer
// counts as on its way.
const failingGrace = 2 * time.Minute

// due is a claim as one view sees it.
type due struct {
	*claim

	baselineBytes int64
	// certain says that the pull can't have begun before the baseline; doubtful
	// that it may never go on.
	certain, doubtful bool
	// own says that a pod of the view's namespace, or the one judged, wants it.
	own bool
	// gone says that all pods that waited for it have been deleted.
	gone bool
	// pulling says that it counts as on its way.
	pulling bool
}

// claims accounts for images that are settled or pending.
func (a *accountant) claims() {
	if len(a.row.facts.claims) == 0 {
		return
	}
	dues := a.dues[:0]
	for i := range a.row.facts.claims {
		if d, concerned := a.due(&a.row.facts.claims[i]); concerned {
			dues = append(dues, d)
		}
	}
	a.dues = dues
	slices.SortFunc(dues, func(x, y due) int {
		return cmp.Or(cmp.Compare(x.baselineBytes, y.baselineBytes), strings.Compare(x.ref.String(), y.ref.String()))
	})
	// The lost bytes are a line on which every image has its part: from its
	// baseline on, as much as it likely costs, behind what older ones have taken.
	for i := range dues {
		if entry, listed := a.row.list.find(dues[i].ref); listed && dues[i].state != spent {
			a.unsampled, a.listed = append(a.unsampled, entry), nil
		}
	}
	taken := int64(0)
	for i := range dues {
		d := &dues[i]
		size := a.pull(d.ref, a.ahead)
		share := int64(0)
		if !d.doubtful {
			from := max(taken, d.baselineBytes)
			share = max(min(size.Disk.Likely, a.lostUntil(d)-from), 0)
			if share > 0 {
				taken = from + share
			}
		}
		a.add(d, size, share)
		if d.state != spent {
			a.ahead = append(a.ahead, a.claimedBy(d))
		}
	}
	a.result.Pulling = pullingOf(dues, a.row.facts.pulling)
}

// pullingOf returns the images that are on their way, by name: all that are
// pending, more often than not, which are at hand.
func pullingOf(dues []due, all []imageref.Ref) []imageref.Ref {
	count := 0
	for i := range dues {
		if dues[i].pulling {
			count++
		}
	}
	switch count {
	case 0:
		return nil
	case len(all):
		return all
	}
	some := make([]imageref.Ref, 0, count)
	for i := range dues {
		if dues[i].pulling {
			some = append(some, dues[i].ref)
		}
	}
	slices.SortFunc(some, func(x, y imageref.Ref) int { return strings.Compare(x.String(), y.String()) })
	return some
}

// due looks at a claim from the view: the pod judged wants nothing, and what only
// it wants is no claim.
func (a *accountant) due(c *claim) (due, bool) {
	d := due{claim: c, baselineBytes: c.baselineBytes}
	if c.state != pending {
		d.own = slices.Contains(c.starters, a.view.Namespace) || slices.Contains(a.view.Images, c.ref)
		// Below tier Measured there is no sample that a settled image could be
		// missing in: the list has it in a minute, and the likely value with it.
		return d, a.result.Tier == Measured
	}
	d.own = slices.Contains(a.view.Images, c.ref)
	d.certain, d.doubtful = true, true
	if a.joinWanters(&d, func(w *wanter) bool { return w.goneAt.IsZero() && (w.pod != a.view.Pod || w.pod == "") }) {
		return d, true
	}
	d.gone = true
	return d, a.joinWanters(&d, func(w *wanter) bool { return !w.goneAt.IsZero() && a.view.Now.Sub(w.goneAt) < goneMemory })
}

// joinWanters adds up what those pods that count make of a claim, and reports
// whether there are any.
func (a *accountant) joinWanters(d *due, counts func(*wanter) bool) bool {
	found := false
	for i := range d.wanters {
		w := &d.wanters[i]
		if !counts(w) {
			continue
		}
		if !found || w.baselineBytes < d.baselineBytes {
			d.baselineBytes = w.baselineBytes
		}
		found = true
		d.certain = d.certain && w.watched
		d.own = d.own || w.namespace == a.view.Namespace
		// A pull that has begun may end, though its pod is going.
		failing := !w.failingSince.IsZero() && a.view.Now.Sub(w.failingSince) >= failingGrace
		d.doubtful = d.doubtful && (failing || w.deleting)
	}
	return found
}

// lostUntil is what the node had lost when the claim's bytes were last seen to grow.
func (a *accountant) lostUntil(d *due) int64 {
	switch {
	case a.result.Tier != Measured:
		return d.baselineBytes
	case d.state == spent:
		return d.endBytes
	default:
		return a.row.lostBytes
	}
}

// add counts one image whose likely cost has shown on the disk by share bytes.
func (a *accountant) add(d *due, size imagesize.Size, share int64) {
	cost := size.Disk
	switch {
	case d.state == spent:
	case d.state == settled:
		// The pull has ended, so all of the cost is on the disk by now.
		low := a.leastLeft(d, size)
		likely := max(cost.Likely-share, low)
		if slices.Contains(a.view.Images, d.ref) && a.row.presence(d.ref, a.kind) != Present {
			// Only pods that are done had it: the need counts that it may have gone.
			likely = low
		}
		a.result.Settled = a.result.Settled.Plus(estimate.Between(low, likely, cost.High))
	case d.doubtful || d.gone:
		// Where the pod judged needs it too, its need counts all of it.
		if !slices.Contains(a.view.Images, d.ref) {
			likely := cost.Likely - share
			if d.doubtful {
				likely = 0
			}
			a.result.Pending = a.result.Pending.Plus(estimate.Between(0, likely, cost.High))
		}
	default:
		low := int64(0)
		if d.certain && a.row.presence(d.ref, a.kind) == Absent {
			low = a.leastLeft(d, size)
		}
		a.result.Pending = a.result.Pending.Plus(estimate.Between(low, max(cost.Likely-share, low), cost.High))
		d.pulling = true
	}
}

// leastLeft is the least that an image will still take beyond what the sample
// shows: its cost, if all that the node has lost went to it. What only another
// namespace's registry image claims is nothing to refuse a pod for.
func (a *accountant) leastLeft(d *due, size imagesize.Size) int64 {
	if !d.own && size.Claimed {
		return 0
	}
	return max(size.Disk.Low-max(a.lostUntil(d)-d.baselineBytes, 0), 0)
}
