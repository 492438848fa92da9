// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package ledger

// Accounts draws up the accounts of many nodes as seen from one View. What nodes
// have in common is worked out once, and thrown away with the Accounts: they
// answer as [Snapshot.Account] does, only sooner. They are for one goroutine.
type Accounts struct {
	s     *Snapshot
	view  View
	kinds map[kindKey]*kind
	last  *kind
	// single says that one node is asked about, for which nothing pays that is kept.
	single bool
	// judged is the view's pod if it waits to be bound.
	judged *unboundPod
	// nominated are the nodes that are planned for some pod.
	nominated map[string]struct{}
	// hashes are the nameHashes of the view's images.
	hashes []uint64
	// next is where in the view's images the next one asked about likely is.
	next int
	// current is the accountant of the node that was asked about last.
	current *accountant
	// numbers counts the images with known layers that have come up, and sharings is what they share.
	numbers  map[*known]int
	sharings map[*known]*sharing
	pulls    Pulls
	// roaming are the nodes of pods that could land on more than one, and tied is what is reserved for the others, by slot.
	roaming []*candidates
	tied    map[int][]*reservation
	// groups, dues, listedScratch and underWayScratch are scratch space.
	groups          []byte
	dues            []due
	listedScratch   []listedImage
	underWayScratch []int
}

// Accounts prepares accounts as seen from v. What v points to must not change
// while they are in use.
func (s *Snapshot) Accounts(v View) *Accounts {
	a := &Accounts{s: s, view: v, kinds: make(map[kindKey]*kind)}
	for _, ref := range v.Images {
		a.hashes = append(a.hashes, nameHash(s.seed, ref))
	}
	if v.Pod != "" {
		if u, found := s.unbound.get(v.Pod); found {
			a.judged = &u
		}
	}
	a.nominated = nominatedBy(s.reservations)
	return a
}

// nominatedBy returns the nodes that are planned for some pod, nil for none.
func nominatedBy(all []*reservation) map[string]struct{} {
	var nodes map[string]struct{}
	for _, r := range all {
		for i := range r.wants {
			if name := r.wants[i].nominated; name != "" {
				if nodes == nil {
					nodes = make(map[string]struct{})
				}
				nodes[name] = struct{}{}
			}
		}
	}
	return nodes
}

// Of draws up a node's image storage. The row must be of the same snapshot.
func (a *Accounts) Of(row *NodeRow) Account {
	c := a.begin(row)
	c.drawn = true
	r := &c.result
	if r.Tier == NoTier {
		return *r
	}
	c.claims()
	c.reservations()
	c.reclaimable()
	r.Available = r.Measured.Minus(r.Settled).Minus(r.Pending).Minus(r.Reserved)
	return *r
}

// begin is the accountant of a node that knows no more than its disk.
func (a *Accounts) begin(row *NodeRow) *accountant {
	c := a.at(row)
	if r := &c.result; r.Tier != Measured && r.Tier != NoTier {
		r.Measured = c.fromList()
	}
	return c
}

// at is begin without what is measured where nothing has been.
func (a *Accounts) at(row *NodeRow) *accountant {
	if a.current == nil {
		a.current = new(accountant)
	}
	c := a.current
	*c = accountant{Accounts: a, node: row, row: row.row, kind: a.kindOf(row), ahead: c.ahead[:0], unsampled: c.unsampled[:0]}
	c.disk()
	return c
}

// Disk returns what [Accounts.Of] says of the disk itself: tier, age of the sample,
// capacity and lines. All else is zero.
func (a *Accounts) Disk(row *NodeRow) Account {
	c := accountant{Accounts: a, node: row, row: row.row}
	c.disk()
	return c.result
}

// Account draws up a node's image storage as seen from v. For many nodes,
// [Snapshot.Accounts] does so faster.
func (s *Snapshot) Account(row *NodeRow, v View) Account {
	a := s.Accounts(v)
	a.single = true
	return a.Of(row)
}
