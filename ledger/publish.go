// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package ledger

// Batch makes what writers of pods, nodes and samples change visible only once [Ledger.Publish] is called: of thousands of
// snapshots a second, readers would see a few, and each would cost them. All other writes publish as before, with what waits.
// wake is called when something waits that did not, under the ledger's lock: it must not block. later is called in its place for
// samples that replace others, which are old when they come. Batch comes before any write.
func (l *Ledger) Batch(wake, later func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.wake, l.later = wake, later
}

// Publish makes what has changed visible to readers, and returns of how many nodes something has since it last was.
func (l *Ledger) Publish() (nodes int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.publish()
	nodes, l.resealed = l.resealed, 0
	return nodes
}

// publish makes what has changed visible to readers. Every write ends with it, or
// with publishSoon.
func (l *Ledger) publish() {
	if !l.changed || !l.synced {
		return
	}
	l.seal()
	l.changed, l.woken, l.told = false, false, false
	l.next.generation++
	l.published.Store(&Snapshot{contents: l.next})
}

// publishSoon is publish for writes of which there are many.
func (l *Ledger) publishSoon() {
	switch {
	case l.wake == nil:
		l.publish()
	case l.changed && l.synced && !l.woken:
		l.woken = true
		l.wake()
	}
}

// publishLater is publishSoon for writes that need not be seen soon.
func (l *Ledger) publishLater() {
	switch {
	case l.wake == nil:
		l.publish()
	case l.changed && l.synced && !l.woken && !l.told:
		l.told = true
		l.later()
	}
}

// seal makes the rows that have to be, and lets nobody change any more what is in next.
func (l *Ledger) seal() {
	if len(l.stale) > 0 {
		rows := make([]*row, 0, len(l.stale))
		for _, n := range l.stale {
			n.stale = false
			if n.node != nil {
				l.parkQuiet(n)
				rows = append(rows, newRow(l.withFacts(n)))
			}
		}
		l.resealed += len(rows)
		l.stale = l.stale[:0]
		l.next.rows = l.next.rows.withAll(rows)
	}
	l.ownReservations, l.ownCandidates = false, false
	l.batch++
	l.next.numbering = l.numbers.count
	c := &l.next
	c.reports.share()
	c.manifests.share()
	c.digests.share()
	c.pulled.share()
	c.observed.share()
	c.unbound.share()
	c.named.share()
	c.arrivals.share()
}

// changeRow puts the node's row, made anew, into what will be published.
func (l *Ledger) changeRow(n *nodeState) {
	if !l.synced || n.node == nil {
		return
	}
	l.changed = true
	switch {
	case l.wake == nil:
		if n.facts == nil {
			l.parkQuiet(n)
		}
		l.next.rows = l.next.rows.with(newRow(l.withFacts(n)))
	case !n.stale:
		n.stale = true
		l.stale = append(l.stale, n)
	}
}

// withFacts makes the facts of a known node, unless they are there.
func (l *Ledger) withFacts(n *nodeState) *nodeState {
	if n.facts == nil {
		n.facts = newFacts(n, &l.scratch)
	}
	return n
}
