// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fit

import (
	"cmp"
	"math"
	"math/bits"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/ledger"
	"github.com/headroom-dev/headroom/policy"
)

// Fleet is what is known of a snapshot's nodes whoever asks, by one policy, in an order that lets most of them be judged
// together. It is made off the request path, one of the one before, and safe for concurrent use: [Fleet.Evaluate] gives the
// very decisions that [Evaluate] gives, in a time that hardly depends on the number of nodes.
type Fleet struct {
	snapshot *ledger.Snapshot
	policy   *policy.Policy
	// built is the moment from which on the fleet's figures hold, until the one at which the first of a node's do not.
	built, until int64

	classes []classKey
	blocks  []*block
	spans   []span
	// order are the places of the nodes by name: the block's number and the place in it.
	order []int32
	// autoscaled memoizes pointsToAutoscaler; inhabited are the pools that have nodes.
	autoscaled bool
	inhabited  map[*policy.NodePool]bool
	// widest is as of survey. anyOdd is set where some node is odd.
	widest map[*policy.NodePool]int64
	anyOdd bool
	// waits is what pods take that wait to be bound, by their namespace.
	waits map[string]waits
	// awaited are the pods that some node's account concerns in any case.
	awaited map[types.UID]struct{}
	// claimedFor and claimed are the namespaces and the images by which some node's account may concern others.
	claimedFor map[string]struct{}
	claimed    map[imageref.Ref]struct{}
	startup    func(string) bool
	// serials is the last serial that was given to a block or a ground, of all fleets that come from the same one.
	serials *atomic.Uint64
	// moved counts the nodes whose figures have changed since the layout was made.
	moved int
	memo  *memo
	// sizes are those that its nodes were asked about. The next fleet takes them, and leaves none.
	sizes atomic.Pointer[sizes]
}

// NewFleet makes a fleet of a snapshot as of now.
func NewFleet(s *ledger.Snapshot, p *policy.Policy, now time.Time) *Fleet {
	v := newSurveyor(s, p, now, new(atomic.Uint64))
	grounds := make([]*ground, 0, s.Len())
	for row := range s.Nodes() {
		grounds = append(grounds, v.ground(row, nil))
	}
	return v.layOut(grounds)
}

// Classes returns how many classes of nodes there are, and how many blocks of 64 they fill.
func (f *Fleet) Classes() (classes, blocks int) { return len(f.classes), len(f.blocks) }

// layOut puts nodes next to those that are like them: of one class, with about as much room. They come by name.
func (v *surveyor) layOut(grounds []*ground) *Fleet {
	type placed struct {
		*ground
		standing
		class int
		name  int // its place by name
	}
	f := v.fleet()
	all := make([]placed, len(grounds))
	for i, g := range grounds {
		all[i] = placed{g, g.standing(v.reserved(g)), f.classOf(g.key), i}
	}
	room := func(p *placed) int64 { return p.keys[likelyScenario].room(orderedBy, &load{}) }
	slices.SortFunc(all, func(a, b placed) int {
		return cmp.Or(cmp.Compare(a.class, b.class), strings.Compare(string(a.blind), string(b.blind)), cmp.Compare(room(&b), room(&a)), cmp.Compare(a.name, b.name))
	})
	f.order = make([]int32, len(all))
	var last *block
	at := 0
	for i := range all {
		p := &all[i]
		if last == nil || last.class != p.class || at == 64 {
			last, at = &block{class: p.class}, 0
			f.blocks = append(f.blocks, last)
		}
		last.put(at, p.ground, p.standing)
		f.order[p.name] = placeOf(len(f.blocks)-1, at)
		at++
	}
	for _, b := range f.blocks {
		b.seal(v.serials.Add(1))
	}
	f.memo, f.serials, f.waits = newMemo(), v.serials, v.waits(f.classes)
	f.sum()
	return f
}

// orderedBy is the severity by whose room nodes are ordered: that of nodes on which a pod fits is told, and most pods fit.
const orderedBy = 0

// fleet is one without nodes.
func (v *surveyor) fleet() *Fleet {
	return &Fleet{
		snapshot: v.snapshot, policy: v.policy, built: v.now.UnixNano(), startup: startupTaints(v.policy),
	}
}

func (v *surveyor) reserved(g *ground) ledger.Reserved {
	row := v.snapshot.Row(g.id)
	return v.accounts.Reserved(&row)
}

// classOf returns the number of a class.
func (f *Fleet) classOf(key classKey) int {
	if i := slices.Index(f.classes, key); i >= 0 {
		return i
	}
	f.classes = append(slices.Clip(f.classes), key)
	return len(f.classes) - 1
}

// sum works out what follows from the blocks.
func (f *Fleet) sum() {
	f.spans, f.until, f.autoscaled = spansOf(f.blocks), math.MaxInt64, f.snapshot.Autoscaler().Present
	f.inhabited = make(map[*policy.NodePool]bool, len(f.policy.NodePools)+1)
	f.claimedFor, f.claimed = make(map[string]struct{}), make(map[imageref.Ref]struct{})
	f.awaited, f.widest = make(map[types.UID]struct{}), make(map[*policy.NodePool]int64)
	for i := range f.spans {
		f.until = min(f.until, f.spans[i].until)
	}
	for _, b := range f.blocks {
		if b.nodes == 0 {
			continue
		}
		pool := f.classes[b.class].pool
		f.inhabited[pool], f.anyOdd = true, f.anyOdd || b.odd != 0
		if room, known := b.widest(b.nodes); known {
			if before, found := f.widest[pool]; !found || room > before {
				f.widest[pool] = room
			}
		}
		f.autoscaled = f.autoscaled || b.autoscaled
		for i := range places(b.claimed) {
			f.claim(b.ground(i))
		}
	}
}

// claim notes whom the account of a claimed node may concern.
func (f *Fleet) claim(g *ground) {
	for _, uid := range g.awaited {
		f.awaited[uid] = struct{}{}
	}
	for _, namespace := range g.namespaces {
		f.claimedFor[namespace] = struct{}{}
	}
	for _, image := range g.images {
		f.claimed[image] = struct{}{}
	}
}

// maxMoved is how often, for each node, the figures of some node may change before the layout is made anew: until then nodes stay
// where they are, and those of a block have less and less in common.
const maxMoved = 8

// Next returns the fleet of a later snapshot. What has not changed is shared with f, which may be nil. The policy may be another
// one; a time before that of f begins anew. A fleet may have several that come after it, and these know nothing of each other.
func (f *Fleet) Next(s *ledger.Snapshot, p *policy.Policy, now time.Time) *Fleet {
	switch {
	case f == nil, f.policy != p, now.UnixNano() < f.built:
		return NewFleet(s, p, now)
	case s == f.snapshot && now.UnixNano() < f.until:
		return f
	}
	resized := s.ResizedSince(f.snapshot)
	v := surveyorWith(f.sizes.Swap(nil).since(s, &resized), s, p, now, f.serials)
	c := f.succession(v, resized)
	if c.fleet.moved > maxMoved*max(len(c.fleet.order), 64) {
		grounds := make([]*ground, 0, len(c.fleet.order))
		for _, at := range c.fleet.order {
			grounds = append(grounds, c.fleet.at(at))
		}
		return v.layOut(grounds)
	}
	return c.seal(f)
}

// find returns the place of a node.
func (f *Fleet) find(name string) (int32, bool) {
	i, found := slices.BinarySearchFunc(f.order, name, func(place int32, name string) int { return strings.Compare(f.at(place).name, name) })
	if !found {
		return 0, false
	}
	return f.order[i], true
}

// free returns a free place in a block of the class, in a new one where there is none.
func (f *Fleet) free(class int) int32 {
	for i, b := range f.blocks {
		if b.class == class && b.nodes != math.MaxUint64 {
			return placeOf(i, bits.TrailingZeros64(^b.nodes))
		}
	}
	f.blocks = append(f.blocks, &block{class: class})
	return placeOf(len(f.blocks)-1, 0)
}

// placeOf is a place in a block: no fleet has so many that it does not fit.
func placeOf(block, at int) int32 {
	return int32(block)<<6 | int32(at) //nolint:gosec // G115: see above
}
