// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fit

import (
	"slices"

	"github.com/headroom-dev/headroom/estimate"
	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/ledger"
	"github.com/headroom-dev/headroom/verdict"
)

// The rule of those who wait. Nobody knows yet to which of several nodes pods will be bound that have just been admitted, so
// that none of the nodes has certainly less room for them. All of them together have, if the pods go where they fit: each
// image comes to one node at the least. A burst of pods is held to that, where each of its pods would fit for itself. Only pods
// of the same namespace count: what is not bound yet may never be, and is no reason to refuse somebody else's pod.
//
// It is too strict where that "if" does not hold: of an image that is larger than the room of its node, all of it is taken from
// the rest; what the pods request is not looked at; and they count for as long as they wait, even for a scheduler that nobody
// runs.

// maxWaiting bounds how many images that are waited for are looked at for one pod, and maxWaitingLooks how many pairs of one
// and a node. Further images are taken for none.
const maxWaiting, maxWaitingLooks = 128, 1 << 13

// total adds up, over the possible nodes, what they can hold before the policy's denyAt.
type total struct {
	room int64
	// need is the least that the pod needs on a node that is not past denyAt.
	need int64
}

// add counts a node at its optimistic bound.
func (t *total) add(f figures, denyAt verdict.Verdict) {
	room := max(f.room(denyAt), 0)
	t.room = estimate.SaturatingAdd(t.room, room)
	if f.need <= room {
		t.need = min(t.need, f.need)
	}
}

// spokenFor reports whether pods that wait leave too little for this one on all nodes together, and prepares the survey for
// another look, in which no node holds more than they leave.
func (s *survey) spokenFor() bool {
	if s.everyNode() || s.total.need <= 0 || s.possible.unknown > 0 || s.possible.nodes == s.possible.past || s.policy.DenyAt.AtLeast(verdict.NeverFits) {
		return false
	}
	waiting := few(s.accounts.Waiting())
	if len(waiting) == 0 || estimate.SaturatingSub(s.total.room, s.mostOf(waiting)) >= s.total.need {
		return false
	}
	left := estimate.SaturatingSub(s.total.room, s.leastOf(waiting))
	if left >= s.total.need {
		return false
	}
	s.left = new(max(left, 0))
	s.begin()
	s.possible.spokenFor, s.ever.spokenFor, s.ready.spokenFor = true, true, true
	return true
}

// few returns as many of the images as may be looked at.
func few(waiting []ledger.Waiting) []ledger.Waiting {
	looks := 0
	for i := range waiting {
		if looks += waiting[i].Nodes(); looks > maxWaitingLooks || i == maxWaiting {
			return waiting[:i]
		}
	}
	return waiting
}

// mostOf is at least leastOf, and soon found.
func (s *survey) mostOf(waiting []ledger.Waiting) int64 {
	sum := int64(0)
	for i := range waiting {
		most := int64(0)
		for _, c := range s.sizes.classes {
			most = max(most, s.sizes.lookUp(c, waiting[i].Ref).Disk.Low)
		}
		sum = estimate.SaturatingAdd(sum, most)
	}
	return sum
}

// leastOf is what the images add, at the least, to nodes that are possible for this pod, too, wherever they land.
func (s *survey) leastOf(waiting []ledger.Waiting) int64 {
	before := s.before(waiting)
	least := make([]int64, len(waiting))
	for i := range least {
		if before[i] != nil {
			least[i] = unbounded
		}
	}
	startup := startupTaints(s.policy)
	for row := range s.snapshot.Nodes() {
		possible, _ := s.lands(row, startup)
		for i := range waiting {
			switch {
			case least[i] == 0 || !comesTo(&waiting[i], row, startup):
			case !possible:
				least[i] = 0
			default:
				least[i] = min(least[i], s.leastOn(row, waiting[i].Ref, before[i]))
			}
		}
	}
	sum := int64(0)
	for i := range least {
		if least[i] != unbounded {
			sum = estimate.SaturatingAdd(sum, least[i])
		}
	}
	return sum
}

// before returns, for each image that is waited for, those images of the pod and those before it that it may share bytes
// with; nil where it is one of them by another name.
func (s *survey) before(waiting []ledger.Waiting) [][]imageref.Ref {
	images := slices.Clone(s.images)
	for i := range waiting {
		images = append(images, imageref.Image{Ref: waiting[i].Ref})
	}
	same := sameImages(s.snapshot, images)
	layered, repositories := make([]bool, len(images)), make([]string, len(images))
	for i := range images {
		layered[i], repositories[i] = isLayered(s.snapshot, images[i].Ref), images[i].Ref.Repository()
	}
	before := make([][]imageref.Ref, len(waiting))
	for w := range before {
		i := len(s.images) + w
		if same != nil && same[i] != i {
			continue
		}
		before[w] = []imageref.Ref{}
		for k := range i {
			if layered[i] && layered[k] || repositories[i] == repositories[k] {
				before[w] = append(before[w], images[k].Ref)
			}
		}
	}
	return before
}

func isLayered(s *ledger.Snapshot, ref imageref.Ref) bool {
	return slices.ContainsFunc(s.Platforms(), func(p Platform) bool { return s.Evidence(ref, "", p).Manifest.Layered() })
}

// comesTo reports whether a pod that waits could be bound to the node, now or once it has started.
func comesTo(w *ledger.Waiting, row *ledger.NodeRow, startup func(string) bool) bool {
	if w.Possible(row) {
		return true
	}
	for i := range row.Taints {
		if startup(row.Taints[i].Key) {
			return w.TiedTo(row)
		}
	}
	return false
}

// leastOn is what an image adds to the node, at the least, with those before it there.
func (s *survey) leastOn(row *ledger.NodeRow, ref imageref.Ref, before []imageref.Ref) int64 {
	if pulls(s.accounts.Pulling(row), ref) || s.accounts.Presence(row, ref) != ledger.Absent {
		return 0
	}
	pulled := s.accounts.Pulls(row)
	for i := range before {
		pulled.Take(before[i], i)
	}
	return pulled.Size(ref, len(before)).Disk.AtLeastZero().Low
}

// squeeze reserves, on a node that could hold more than what those who wait leave of all nodes together, what is more.
func (s *survey) squeeze(a *ledger.Account, f figures) {
	if s.left == nil {
		return
	}
	more := estimate.SaturatingSub(f.open(s.policy.DenyAt), *s.left)
	if more <= 0 {
		return
	}
	r := &a.Reserved
	r.Low = estimate.SaturatingAdd(r.Low, more)
	r.Likely, r.High = max(r.Likely, r.Low), max(r.High, r.Low)
	a.Available = a.Measured.Minus(a.Settled).Minus(a.Pending).Minus(*r)
}
