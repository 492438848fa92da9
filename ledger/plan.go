// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"hash/maphash"
	"slices"

	"github.com/headroom-dev/headroom/estimate"
	"github.com/headroom-dev/headroom/imageref"
)

// planned is what one image of unbound pods adds to nodes that lack it.
type planned struct {
	ref  imageref.Ref
	hash uint64 // nameHash of ref
	cost estimate.Bytes
	// certain is cost where the image is certainly absent.
	certain estimate.Bytes
}

// plan is what nodes of a kind have reserved. It never changes.
type plan struct {
	items []planned
	// sum is what all items cost, and certain are the indices of those that are certain for somebody.
	sum     sums
	certain []int
	// byName are the indices of items by the hashes of their names and digests: it is quicker then to look up what a node has than to ask for
	// each item. Nil for few items, or for a sum beyond what can be counted.
	byName map[uint64][]int
}

// fewPlanned is how many items are soon asked for one by one. Whoever may create pods can make very many.
const fewPlanned = 512

// plan returns what is reserved here. It is the same for all nodes of a kind on
// which the same groups could land, unless the node is planned for some pod.
func (a *accountant) plan() *plan {
	if _, nominated := a.nominated[a.node.Name]; nominated || a.single {
		return a.newPlan()
	}
	a.groups = a.groups[:0]
	for first := 0; first < len(a.s.candidates); first += 8 {
		groups := byte(0)
		for bit, c := range a.s.candidates[first:min(first+8, len(a.s.candidates))] {
			if c != nil && c.possible.has(a.row.slot) {
				groups |= 1 << bit
			}
		}
		a.groups = append(a.groups, groups)
	}
	k := a.kind
	if string(a.groups) == k.lastGroups && k.lastPlan != nil {
		return k.lastPlan
	}
	key := string(a.groups)
	p := k.plans[key]
	if p == nil {
		p = a.newPlan()
		k.plans[key] = p
	}
	k.lastGroups, k.lastPlan = key, p
	return p
}

func (a *accountant) newPlan() *plan {
	p := &plan{items: make([]planned, 0, len(a.s.reservations))}
	for _, r := range a.s.reservations {
		if d := a.demand(r, a.s); d.any && !slices.Contains(a.view.Images, r.ref) {
			p.add(a.planned(r, d))
		}
	}
	p.index(a.s.seed)
	return p
}

// planned is what an image that is wanted that much adds.
func (a *accountant) planned(r *reservation, d demand) planned {
	cost := a.size(r.ref).Disk
	weight := min(d.expected, 1)
	likely := estimate.Exactly(cost.Likely).Times(estimate.Factor{Low: weight, Likely: weight, High: weight}).Likely
	item := planned{ref: r.ref, hash: r.hash, cost: estimate.Between(0, likely, cost.High)}
	if d.certain {
		item.certain = estimate.Between(cost.Low, max(likely, cost.Low), cost.High)
	}
	return item
}

func (p *plan) add(item planned) {
	if item.certain.Low > 0 {
		p.certain = append(p.certain, len(p.items))
	}
	p.items = append(p.items, item)
	p.sum.add(item.cost)
}

func (p *plan) index(seed maphash.Seed) {
	if len(p.items) <= fewPlanned || p.sum.beyond() {
		return
	}
	p.byName = make(map[uint64][]int, len(p.items))
	for i := range p.items {
		ref := p.items[i].ref
		for _, name := range []string{ref.String(), ref.Digest()} {
			if name != "" {
				hash := maphash.String(seed, name)
				p.byName[hash] = append(p.byName[hash], i)
			}
		}
	}
}

// underWayOf returns, in order, the indices of the items for which underWay is true.
func (a *accountant) underWayOf(p *plan) []int {
	found := a.underWayScratch[:0]
	for _, image := range a.row.list.images {
		for _, hash := range image.hashes {
			found = append(found, p.byName[hash]...)
		}
	}
	used := &a.row.facts.uses
	for i, hash := range used.hashes {
		if used.how[i].pulled {
			found = append(found, p.byName[hash]...)
		}
	}
	for i := range a.row.facts.claims {
		c := &a.row.facts.claims[i]
		if c.state != pending {
			continue
		}
		if items := p.byName[maphash.String(a.s.seed, c.ref.String())]; len(items) > 0 {
			if _, concerned := a.due(c); concerned {
				found = append(found, items...)
			}
		}
	}
	slices.Sort(found)
	a.underWayScratch = found
	return slices.Compact(found)
}

// underWay reports whether the image costs nothing more: it is here, or a bound
// pod waits for it.
func (a *accountant) underWay(p *planned) bool {
	if a.row.list.names.mayHold(p.hash) {
		if _, listed := a.row.list.find(p.ref); listed {
			return true
		}
	}
	if !a.row.facts.names.mayHold(p.hash) {
		return false
	}
	if a.row.facts.of(p.ref).pulled {
		return true
	}
	for i := range a.row.facts.claims {
		if c := &a.row.facts.claims[i]; c.ref == p.ref && c.state == pending {
			_, concerned := a.due(c)
			return concerned
		}
	}
	return false
}
