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

// plans are those of nodes of a kind, by the groups of pods that could land there.
type plans struct {
	byGroups map[string]*plan
	// last is the one of lastGroups: most nodes are like the one before.
	lastGroups string
	last       *plan
}

// plan returns what is reserved here. It is the same for all nodes of a kind on
// which the same groups could land, unless the node is planned for some pod.
func (a *accountant) plan() *plan {
	if a.isNominated() || a.single {
		return a.newPlan(ofAllPods)
	}
	return a.planIn(&a.kind.plans, a.s.candidates, ofAllPods)
}

// isNominated reports whether the node is planned for some pod.
func (a *accountant) isNominated() bool {
	_, nominated := a.nominated[a.node.Name]
	return nominated
}

// sharedPlan is plan without the pods that could land on one node only: of those there may be as many as nodes, such as a
// DaemonSet's, and no two nodes would have the same plan. The node must not be planned for some pod.
func (a *accountant) sharedPlan() *plan {
	if a.roaming == nil {
		a.roaming = slices.Grow(a.roaming, 1) // so that it is not looked for again
		for _, c := range a.s.candidates {
			if c != nil && !c.isTied() {
				a.roaming = append(a.roaming, c)
			}
		}
	}
	return a.planIn(&a.kind.shared, a.roaming, ofRoamingPods)
}

func (a *accountant) planIn(all *plans, sets []*candidates, of podsOf) *plan {
	a.groups = a.groups[:0]
	for first := 0; first < len(sets); first += 8 {
		groups := byte(0)
		for bit, c := range sets[first:min(first+8, len(sets))] {
			if c != nil && c.possible.has(a.row.slot) {
				groups |= 1 << bit
			}
		}
		a.groups = append(a.groups, groups)
	}
	if string(a.groups) == all.lastGroups && all.last != nil {
		return all.last
	}
	key := string(a.groups)
	p := all.byGroups[key]
	if p == nil {
		if all.byGroups == nil {
			all.byGroups = make(map[string]*plan)
		}
		p = a.newPlan(of)
		all.byGroups[key] = p
	}
	all.lastGroups, all.last = key, p
	return p
}

func (a *accountant) newPlan(of podsOf) *plan {
	p := &plan{items: make([]planned, 0, len(a.s.reservations))}
	for _, r := range a.s.reservations {
		if d := a.demand(r, a.s, of); d.any && !slices.Contains(a.view.Images, r.ref) {
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
	for hash, how := range a.row.facts.uses.all() {
		if how.pulled {
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
	if _, listed := a.row.list.hashed(p.hash); listed {
		return true
	}
	switch used := a.row.facts.uses.of(p.hash); {
	case used == use{}:
		return false
	case used.pulled:
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
