// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"cmp"
	"slices"
	"sync"
	"sync/atomic"

	"k8s.io/apimachinery/pkg/types"

	"github.com/headroom-dev/headroom/imagesize"
)

// Ledger takes rows from writers and gives snapshots to readers. See the package
// comment for its concurrency. The values that writers hand over are kept: maps
// and slices in them must not be changed afterwards.
type Ledger struct {
	published atomic.Pointer[Snapshot]

	// mu guards everything below. Only writers take it.
	mu     sync.Mutex
	synced bool

	nodes     map[string]*nodeState // known nodes and ghosts
	pods      map[types.UID]*podState
	parked    parkedIndex
	byIndex   []*nodeState
	indices   slots
	shapes    shapes
	manifests map[manifestKey]*known
	// digests are the names under which a layered image is known, by its digests.
	digests map[digestKey]map[manifestKey]struct{}
	// pulled is what events said of images.
	pulled map[reportKey]int64
	// lines are the last settings of kubelets that were told.
	lines []*Lines
	// watched are pulls that ended, for Observations.
	watched []Observation
	// reports counts, for each image, which size how many nodes report.
	reports   map[reportKey][]reportCount
	platforms map[imagesize.Platform]int
	groups    map[string]*group // of unbound pods, by placement.Constraints.Key
	idle      []*group          // without a pod, the oldest first

	deadPods, deadNodes *tombstones
	nodeSlots           slots
	groupSlots          slots
	numbers             numbers

	// next is what will be published. It is only built once synced.
	next contents
	// changed says that next differs from what is published.
	changed bool
	// These say that nobody has seen yet what is in next: it may be changed in place.
	ownReservations, ownCandidates bool
	// batch counts the publications: what has been made since the last one has been seen by nobody.
	batch uint64

	// wake and later are for [Ledger.Batch], and woken and told say that they have been called since the last
	// publication. stale are the nodes whose rows have to be made before the next, and resealed counts those made for it.
	wake     func()
	later    func()
	woken    bool
	told     bool
	stale    []*nodeState
	resealed int

	scratch factsScratch
}

// New returns an empty ledger that is not synced.
func New() *Ledger {
	l := &Ledger{
		nodes:     make(map[string]*nodeState),
		pods:      make(map[types.UID]*podState),
		shapes:    make(shapes),
		manifests: make(map[manifestKey]*known),
		digests:   make(map[digestKey]map[manifestKey]struct{}),
		pulled:    make(map[reportKey]int64),
		reports:   make(map[reportKey][]reportCount),
		platforms: make(map[imagesize.Platform]int),
		groups:    make(map[string]*group),
		deadPods:  newTombstones(tombstoneLimit),
		deadNodes: newTombstones(tombstoneLimit),
		numbers:   newNumbers(),
		nodeSlots: slots{rested: restedSlots},
		next:      emptyContents(),
	}
	l.parked = newParkedIndex(l.next.seed)
	l.published.Store(&Snapshot{contents: l.next})
	return l
}

// Snapshot returns the ledger as it is after every write that has returned, or, with
// [Ledger.Batch], as it was when it was published. It never waits, and is the same
// pointer while nothing has changed. Before MarkSynced it is empty and says that it is
// not synced.
func (l *Ledger) Snapshot() *Snapshot { return l.published.Load() }

// MarkSynced says that the first lists of nodes and pods have been written. From
// here on a pod that is seen bound for the first time was bound just now.
func (l *Ledger) MarkSynced() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.synced {
		return
	}
	l.synced, l.changed = true, true
	l.next.synced = true
	l.buildAll()
	l.publish()
}

// buildAll makes the contents from nothing but the writers' state.
func (l *Ledger) buildAll() {
	var known []*row
	for _, n := range l.nodes {
		n.parked = n.parked.clone(0) // which has grown as pods came
		if n.node != nil {
			l.parkQuiet(n)
			n.list = n.list.moved()
			n.facts = newFacts(n, &l.scratch)
			known = append(known, newRow(n))
		}
	}
	slices.SortFunc(known, func(a, b *row) int { return cmp.Compare(a.node.Name, b.node.Name) })
	// New tables, because the ones of the empty snapshot have been published.
	fresh := emptyContents()
	l.next.reports, l.next.manifests = fresh.reports, fresh.manifests
	l.next.unbound, l.next.named, l.next.arrivals = fresh.unbound, fresh.named, fresh.arrivals
	l.next.digests, l.next.pulled = fresh.digests, fresh.pulled
	l.next.rows = rowsOf(known)
	l.next.platforms = l.sortedPlatforms()
	for key, counts := range l.reports {
		l.next.reports.fill(key, summary(counts))
	}
	for key, manifest := range l.manifests {
		l.next.manifests.fill(key, manifest)
	}
	for d := range l.digests {
		l.next.digests.fill(d, l.ofDigest(d))
	}
	for key, bytes := range l.pulled {
		l.next.pulled.fill(key, bytes)
	}
	for _, p := range l.pods {
		if p.pod.NodeName == "" {
			l.reserve(p)
		}
	}
}

// slots hands out small numbers and takes them back. The last ones that came back, rested of them, are not handed out again.
type slots struct {
	free   []int
	rested int
	used   int
}

func (s *slots) take() int {
	if len(s.free) > s.rested {
		slot := s.free[0]
		s.free = s.free[1:]
		return slot
	}
	s.used++
	return s.used - 1
}

func (s *slots) release(slot int) { s.free = append(s.free, slot) }
