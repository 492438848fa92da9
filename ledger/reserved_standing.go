// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"github.com/headroom-dev/headroom/estimate"
)

// Reserved is what pods that wait reserve on a node as seen by [Nobody], for whom none of it is certain. What a pod adds can be
// taken out of it again. It is comparable; zero is nothing.
type Reserved struct{ costs sums }

// Bytes is the sum.
func (r *Reserved) Bytes() estimate.Bytes { return r.costs.bytes() }

// Reserved returns what is reserved on a node. The view must be that of [Accounts.Standing].
func (a *Accounts) Reserved(row *NodeRow) (r Reserved) {
	if len(a.s.reservations) == 0 {
		return r
	}
	c := a.begin(row)
	if c.result.Tier == NoTier {
		return r
	}
	p := c.plan()
	if p.byName == nil {
		for i := range p.items {
			if item := &p.items[i]; !c.underWay(item) {
				r.costs.add(item.cost)
			}
		}
		return r
	}
	r.costs = p.sum
	for _, i := range c.underWayOf(p) {
		r.costs.take(p.items[i].cost)
	}
	return r
}
