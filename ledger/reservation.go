// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"cmp"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/placement"
)

// group is the unbound pods that may run on the same nodes.
type group struct {
	slot        int
	constraints *placement.Constraints
	pods        int
	// kept are the candidates of a group that has no pod; nobody else has a use for them.
	kept *candidates
}

// candidates are the nodes of a group, by slot. They never change.
type candidates struct {
	possible, tied bitset
	// possibleCount is how many nodes the pods could land on, and tiedCount how
	// many they could by name, selector and affinity alone.
	possibleCount, tiedCount int
}

// isTied reports whether the pods could land on one node at most.
func (s *candidates) isTied() bool { return s.possibleCount <= 1 }

// reservation is who waits to pull one image anywhere. It never changes once it has been published.
type reservation struct {
	ref   imageref.Ref
	hash  uint64 // nameHash of ref
	wants []want
	batch uint64 // Ledger.batch as of which it was made
}

// want is how many unbound pods of a group and namespace want an image.
type want struct {
	group                int // slot
	namespace, nominated string
	// eager pods may be bound any time; held ones are gated or unschedulable.
	eager, held int
}

// waits reports whether a pod reserves anything.
func (p *Pod) waits() bool { return p.NodeName == "" && !p.Finished && !p.Deleting }

// reserve adds an unbound pod to those that wait.
func (l *Ledger) reserve(p *podState) {
	if !l.synced || !p.pod.waits() {
		return
	}
	constraints := p.pod.Placement
	if constraints == nil {
		constraints = placement.Of(nil)
	}
	g := l.groups[constraints.Key()]
	if g == nil {
		g = &group{slot: l.groupSlots.take(), constraints: constraints}
		l.groups[constraints.Key()] = g
		l.setCandidates(g.slot, l.candidatesOf(constraints))
	}
	if g.kept != nil {
		l.busy(g)
		l.setCandidates(g.slot, g.kept)
		g.kept = nil
	}
	g.pods++
	p.group = g
	l.want(p, 1)
	l.next.unbound = l.next.unbound.with(p.pod.UID, unboundPod{p.pod, g.slot})
	l.next.named = l.next.named.with(nameOf(p.pod), p.pod.UID)
	l.arrive(unboundPod{p.pod, g.slot})
	l.changed = true
}

// unreserve takes an unbound pod from those that wait.
func (l *Ledger) unreserve(p *podState) {
	if p.group == nil {
		return
	}
	l.want(p, -1)
	l.depart(p.pod)
	l.leave(p.group)
	p.group = nil
	l.next.unbound = l.next.unbound.without(p.pod.UID)
	if uid, found := l.next.named.get(nameOf(p.pod)); found && uid == p.pod.UID {
		l.next.named = l.next.named.without(nameOf(p.pod)) // unless a later pod has the name by now
	}
	l.changed = true
}

func nameOf(p *Pod) types.NamespacedName {
	return types.NamespacedName{Namespace: p.Namespace, Name: p.Name}
}

// maxIdleGroups is how many groups are kept that have no pod: pods of a template come again and again and wait for a moment,
// and to find the nodes of a group takes a look at all of them.
const maxIdleGroups = 64

// leave takes a pod out of a group.
func (l *Ledger) leave(g *group) {
	if g.pods--; g.pods > 0 {
		return
	}
	g.kept = l.next.candidates[g.slot]
	l.setCandidates(g.slot, nil)
	l.idle = append(l.idle, g)
	oldest := g // of a group for one node only, nothing is kept
	if g.kept.tiedCount > 1 {
		if len(l.idle) <= maxIdleGroups {
			return
		}
		oldest = l.idle[0]
	}
	l.busy(oldest)
	delete(l.groups, oldest.constraints.Key())
	l.groupSlots.release(oldest.slot)
}

// busy takes a group out of those that have no pod.
func (l *Ledger) busy(g *group) {
	l.idle = slices.DeleteFunc(l.idle, func(o *group) bool { return o == g })
}

// reserveAnew gives an unbound pod another row. Its group is held meanwhile: it
// is mostly the new one, too, and to find a group's candidates takes a while.
func (l *Ledger) reserveAnew(p *podState, pod *Pod) {
	if held := p.group; held != nil {
		held.pods++
		defer l.leave(held)
	}
	l.unreserve(p)
	p.pod = pod
	l.reserve(p)
}

// want changes, by one pod, what the pod's images are wanted for.
func (l *Ledger) want(p *podState, change int) {
	reservations := l.next.reservations
	if !l.ownReservations {
		reservations, l.ownReservations = slices.Clone(reservations), true
	}
	for i := range p.pod.Images {
		image := &p.pod.Images[i]
		if image.PullPolicy == corev1.PullNever {
			continue
		}
		place, found := slices.BinarySearchFunc(reservations, image.Ref, func(r *reservation, ref imageref.Ref) int {
			return cmp.Compare(r.ref.String(), ref.String())
		})
		var changed *reservation
		switch {
		case !found:
			changed = &reservation{ref: image.Ref, hash: nameHash(l.next.seed, image.Ref), batch: l.batch}
		case reservations[place].batch == l.batch:
			changed = reservations[place]
		default:
			changed = &reservation{ref: image.Ref, hash: reservations[place].hash, wants: slices.Clone(reservations[place].wants), batch: l.batch}
		}
		changed.count(p, change)
		switch {
		case !found:
			reservations = slices.Insert(reservations, place, changed)
		case len(changed.wants) == 0:
			reservations = slices.Delete(reservations, place, place+1)
		default:
			reservations[place] = changed
		}
	}
	l.next.reservations = reservations
}

// count changes, by one pod, who waits.
func (r *reservation) count(p *podState, change int) {
	i := slices.IndexFunc(r.wants, func(w want) bool { return w.ofPod(p.pod, p.group.slot) })
	if i < 0 {
		i = len(r.wants)
		r.wants = append(r.wants, want{group: p.group.slot, namespace: p.pod.Namespace, nominated: p.pod.NominatedNodeName})
	}
	if !p.pod.eager() {
		r.wants[i].held += change
	} else {
		r.wants[i].eager += change
	}
	if r.wants[i].eager == 0 && r.wants[i].held == 0 {
		r.wants = slices.Delete(r.wants, i, i+1)
	}
}

func (w *want) ofPod(p *Pod, group int) bool {
	return w.group == group && w.namespace == p.Namespace && w.nominated == p.NominatedNodeName
}

// candidatesOf looks at every known node.
func (l *Ledger) candidatesOf(c *placement.Constraints) *candidates {
	set := &candidates{}
	if names, only := c.NamedNodes(); only {
		for name := range names {
			if n := l.nodes[name]; n != nil && n.node != nil {
				set.judge(c, n)
			}
		}
		return set
	}
	for _, n := range l.nodes {
		if n.node != nil {
			set.judge(c, n)
		}
	}
	return set
}

// judge writes what the constraints say about one node; nil nodes are none.
func (s *candidates) judge(c *placement.Constraints, n *nodeState) {
	possible := n.node != nil && c.Possible(&n.node.Node, nil)
	tied := n.node != nil && c.TiedTo(&n.node.Node)
	s.possibleCount += s.possible.set(n.slot, possible)
	s.tiedCount += s.tied.set(n.slot, tied)
}

// judgedAgain returns the candidates after one node has changed.
func (s *candidates) judgedAgain(c *placement.Constraints, n *nodeState) *candidates {
	set := *s
	set.possible, set.tied = slices.Clone(set.possible), slices.Clone(set.tied)
	set.judge(c, n)
	return &set
}

// candidacy looks at a changed node again for every group. old is its row before.
func (l *Ledger) candidacy(n *nodeState, old *Node) {
	if !l.synced || old != nil && n.node != nil && samePlace(old, n.node) {
		return
	}
	for _, g := range l.groups {
		if g.kept != nil {
			g.kept = g.kept.judgedAgain(g.constraints, n)
		} else {
			l.setCandidates(g.slot, l.next.candidates[g.slot].judgedAgain(g.constraints, n))
		}
	}
}

func (l *Ledger) setCandidates(slot int, set *candidates) {
	all := l.next.candidates
	if !l.ownCandidates {
		all, l.ownCandidates = slices.Clone(all), true
	}
	for len(all) <= slot {
		all = append(all, nil)
	}
	all[slot] = set
	l.next.candidates = all
	l.changed = true
}

// samePlace reports whether two rows of one node are the same to
// placement.Constraints.Possible and TiedTo, which don't look at a node's state.
func samePlace(a, b *Node) bool {
	return a.OS == b.OS && a.Hostname == b.Hostname && maps.Equal(a.Labels, b.Labels) && sameTaints(lasting(a), lasting(b))
}

func lasting(n *Node) []corev1.Taint {
	var taints []corev1.Taint
	for i := range n.Taints {
		if placement.Lasting(&n.Taints[i], nil) {
			taints = append(taints, n.Taints[i])
		}
	}
	return taints
}
