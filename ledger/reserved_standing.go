// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"slices"

	"github.com/headroom-dev/headroom/estimate"
)

// Reserved is what pods that wait reserve on a node as seen by [Nobody], for whom none of it is certain. What a pod adds can be
// taken out of it again. It is comparable; zero is nothing.
type Reserved struct{ costs sums }

// Bytes is the sum.
func (r *Reserved) Bytes() estimate.Bytes { return r.costs.bytes() }

// Reserved returns what is reserved on a node. The view must be that of [Accounts.Standing], but that it may have images: what is
// reserved for those is left out.
func (a *Accounts) Reserved(row *NodeRow) (r Reserved) {
	if len(a.s.reservations) == 0 {
		return r
	}
	c := a.at(row)
	if c.result.Tier == NoTier {
		return r
	}
	if c.isNominated() {
		return Reserved{c.costsOf(c.newPlan(ofAllPods))}
	}
	r.costs = c.costsOf(c.sharedPlan())
	beyond := r.costs.beyond()
	for _, tied := range a.tiedTo(c.row.slot) {
		if slices.Contains(a.view.Images, tied.ref) || c.underWay(&planned{ref: tied.ref, hash: tied.hash}) {
			continue
		}
		r.costs.take(c.costOf(tied, a.s, ofRoamingPods))
		r.costs.add(c.costOf(tied, a.s, ofAllPods))
		beyond = beyond || r.costs.beyond()
	}
	if beyond { // Nothing can be taken out of it.
		r.costs = c.costsOf(c.newPlan(ofAllPods))
	}
	return r
}

// costsOf adds up a plan's items that are not under way.
func (a *accountant) costsOf(p *plan) (costs sums) {
	if p.byName == nil {
		for i := range p.items {
			if item := &p.items[i]; !a.underWay(item) {
				costs.add(item.cost)
			}
		}
		return costs
	}
	costs = p.sum
	for _, i := range a.underWayOf(p) {
		costs.take(p.items[i].cost)
	}
	return costs
}

// tiedTo returns, each once, what is reserved for pods that could land on one node only, by its slot.
func (a *Accounts) tiedTo(slot int) []*reservation {
	if a.tied == nil {
		a.tied = make(map[int][]*reservation)
		for _, r := range a.s.reservations {
			for i := range r.wants {
				set := a.s.candidates[r.wants[i].group]
				if set.possibleCount != 1 {
					continue
				}
				at := set.possible.last()
				if all := a.tied[at]; len(all) == 0 || all[len(all)-1] != r {
					a.tied[at] = append(all, r)
				}
			}
		}
	}
	return a.tied[slot]
}
