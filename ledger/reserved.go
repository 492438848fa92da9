// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"slices"

	"github.com/headroom-dev/headroom/estimate"
	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/imagesize"
)

// demand is what unbound pods want of one image on one node.
type demand struct {
	any bool
	// expected is how many of them will likely land here.
	expected float64
	// bound says that one of them can't land anywhere else, or is planned here.
	bound bool
	// own says that one of them is of the view's namespace.
	own bool
}

// reservations accounts for the images of pods that are not bound.
func (a *accountant) reservations() {
	if len(a.s.reservations) == 0 {
		return
	}
	var judged *unboundPod
	if a.view.Pod != "" {
		if u, found := a.s.unbound.get(a.view.Pod); found {
			judged = &u
		}
	}
	for _, r := range a.s.reservations {
		d := a.demand(r, judged)
		if !d.any || slices.Contains(a.view.Images, r.ref) || a.underWay(r.ref) {
			continue
		}
		size := a.size(r.ref)
		cost := size.Disk
		weight := min(d.expected, 1)
		likely := estimate.Exactly(cost.Likely).Times(estimate.Factor{Low: weight, Likely: weight, High: weight}).Likely
		low := int64(0)
		if d.bound && (d.own || size.Source != imagesize.SourceRegistry) && a.node.Presence(r.ref) == Absent {
			low = cost.Low
		}
		a.result.Reserved = a.result.Reserved.Plus(estimate.Between(low, max(likely, low), cost.High))
	}
}

// underWay reports whether the image costs nothing more: it is here, or a bound
// pod waits for it.
func (a *accountant) underWay(ref imageref.Ref) bool {
	if a.node.Presence(ref) == Present {
		return true
	}
	return slices.ContainsFunc(a.row.facts.claims, func(c claim) bool {
		if c.ref != ref || c.state != pending {
			return false
		}
		_, concerned := a.due(&c)
		return concerned
	})
}

// demand sums up who wants an image and could land on the node; the pod judged
// is left out.
func (a *accountant) demand(r *reservation, judged *unboundPod) demand {
	var d demand
	for i := range r.wants {
		w := &r.wants[i]
		eager, held := w.eager, w.held
		if judged != nil && w.ofPod(judged.pod, judged.group) && wantsImage(judged.pod, r.ref) {
			if judged.pod.Gated || judged.pod.Unschedulable {
				held--
			} else {
				eager--
			}
		}
		set := a.s.candidates[w.group]
		nominated := w.nominated != "" && w.nominated == a.node.Name
		if eager+held <= 0 || !nominated && !set.possible.has(a.row.slot) {
			continue
		}
		d.any = true
		d.own = d.own || w.namespace == a.view.Namespace
		switch {
		case nominated:
			// Pods that wait for their victims to go are unschedulable until then.
			d.expected += float64(eager + held)
			d.bound = true
		case eager > 0:
			d.expected += float64(eager) / float64(set.possibleCount)
			d.bound = d.bound || set.tiedCount == 1
		}
	}
	return d
}

func wantsImage(p *Pod, ref imageref.Ref) bool {
	return slices.ContainsFunc(p.Images, func(image PodImage) bool { return image.Ref == ref })
}
