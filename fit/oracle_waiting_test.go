// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fit

import (
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/ledger"
	"github.com/headroom-dev/headroom/verdict"
)

// arrivals tries out how the pods that wait may arrive: in any order, each on any node where it fits at its turn. One that fits
// nowhere goes to any node, which then has less than nothing left, or to none. It knows nothing of the rule but its premise.
type arrivals struct {
	o     oracle
	nodes []judged
	rooms []int64
	pods  []comer
	seen  map[spread]bool
}

// comer is a pod that waits. It may land on nodes, by index, and away where the pod that is judged can't.
type comer struct {
	images           []imageref.Ref
	now, ever        []int
	awayNow, awayToo bool
}

// spread is which images have come to which of the nodes, and which pods are still to come.
type spread struct {
	landed [4]uint8
	toCome uint16
}

// leavesRoom reports whether the pod that is judged fits somewhere in the end, if the others come in some order.
func (o oracle) leavesRoom() bool {
	o.spoken = false
	t := arrivals{o: o, nodes: o.judge(0), seen: map[spread]bool{}}
	for _, j := range t.nodes {
		if j.optimistic.Severity() < 0 {
			return true
		}
		t.rooms = append(t.rooms, o.room(j))
	}
	for pod := range o.s.UnboundPods() {
		if c, comes := t.comer(pod); comes {
			t.pods = append(t.pods, c)
		}
	}
	return t.leaveRoom(spread{toCome: 1<<len(t.pods) - 1})
}

func (t *arrivals) comer(pod *ledger.Pod) (c comer, comes bool) {
	age := t.o.now.Sub(time.Unix(pod.CreatedUnixSeconds, 0))
	if pod.Namespace != t.o.r.Namespace || pod.UID == t.o.r.UID || pod.Gated || pod.Unschedulable || pod.NominatedNodeName != "" ||
		age > time.Minute || age < -time.Minute {
		return c, false
	}
	for _, image := range pod.Images {
		if image.PullPolicy != corev1.PullNever {
			c.images = append(c.images, image.Ref)
		}
	}
	tied := 0
	for row := range t.o.s.Nodes() {
		if !pod.Placement.TiedTo(&row.Node.Node) {
			continue
		}
		tied++
		starting := slices.ContainsFunc(row.Taints, func(t2 corev1.Taint) bool { return slices.Contains(t.o.p.StartupTaints, t2.Key) })
		ever := starting || pod.Placement.Possible(&row.Node.Node, nil)
		now := starting || pod.Placement.Likely(&row.Node.Node, row.Free())
		place := slices.IndexFunc(t.nodes, func(j judged) bool { return j.row.Name == row.Name })
		switch {
		case place < 0:
			c.awayNow, c.awayToo = c.awayNow || now, c.awayToo || ever
		case now:
			c.now, c.ever = append(c.now, place), append(c.ever, place)
		case ever:
			c.ever = append(c.ever, place)
		}
	}
	// One with a single node is in that node's account.
	return c, len(c.images) > 0 && tied > 1
}

func (t *arrivals) leaveRoom(s spread) bool {
	if t.seen[s] {
		return false
	}
	t.seen[s] = true
	if s.toCome == 0 {
		return t.fits(s)
	}
	for i, pod := range t.pods {
		if s.toCome&(1<<i) == 0 {
			continue
		}
		without := s
		without.toCome &^= 1 << i
		var places []int
		for _, n := range pod.now {
			if t.taken(t.land(s, pod, n), n) <= max(t.rooms[n], 0) {
				places = append(places, n)
			}
		}
		stays := false
		if len(places) == 0 && !pod.awayNow {
			places, stays = pod.ever, true
		}
		if (stays || pod.awayNow) && t.leaveRoom(without) {
			return true
		}
		for _, n := range places {
			if t.leaveRoom(t.land(without, pod, n)) {
				return true
			}
		}
	}
	return false
}

func (t *arrivals) land(s spread, pod comer, n int) spread {
	for _, ref := range pod.images {
		s.landed[n] |= 1 << slices.Index(waitedFor(), ref)
	}
	return s
}

// taken is what the images take that have come to a node.
func (t *arrivals) taken(s spread, n int) (sum int64) {
	for i, ref := range waitedFor() {
		if s.landed[n]&(1<<i) != 0 {
			sum += t.o.bringsTo(t.nodes[n], ref)
		}
	}
	return sum
}

func (t *arrivals) fits(s spread) bool {
	for n, j := range t.nodes {
		o := t.o
		o.r.Images = slices.DeleteFunc(slices.Clone(o.r.Images), func(i imageref.Image) bool {
			at := slices.Index(waitedFor(), i.Ref)
			return at >= 0 && s.landed[n]&(1<<at) != 0
		})
		low, _, _, _ := o.need(j.row, j.account, false, 0)
		a := j.account
		a.Available.High -= t.taken(s, n)
		if v, _ := o.byBounds(low, 0, a); v.Severity() < o.p.DenyAt.Severity() {
			return true
		}
	}
	return false
}

// room is how much images may need on a node without reaching denyAt.
func (o oracle) room(j judged) int64 {
	a := j.account
	need := int64(1 << 14) // The least with which they do.
	for step := need / 2; step > 0; step /= 2 {
		if v, _ := o.byBounds(need-step, 0, a); v.Severity() >= o.p.DenyAt.Severity() {
			need -= step
		}
	}
	at, _ := o.byBounds(need, 0, a)
	a.Available.High++
	if more, _ := o.byBounds(need, 0, a); at == verdict.FillsDisk && more != at {
		return need // The last byte counts as room.
	}
	return need - 1
}

func waitedFor() (refs []imageref.Ref) {
	for i := range 8 {
		refs = append(refs, imageOf(i))
	}
	return refs
}

// bringsTo is what an image adds to a node at the least.
func (o oracle) bringsTo(j judged, ref imageref.Ref) int64 {
	size := o.size(j.row, ref)
	bounded := j.account.Tier == ledger.Measured && !wantedByPods(j.row, ref)
	absent := j.row.Presence(ref) == ledger.Absent ||
		j.row.Presence(ref) == ledger.PresenceUnsure && bounded && size.Disk.Low > j.account.CapacityBytes-j.account.Measured.Likely
	if absent && !slices.Contains(j.account.Pulling, ref) && !o.promised(j.row, ref) {
		return size.Disk.Low
	}
	return 0
}

// promised reports whether a pod of the namespace that can't go elsewhere brings the image to the node: its account has it.
func (o oracle) promised(row *ledger.NodeRow, ref imageref.Ref) bool {
	for pod := range o.s.UnboundPods() {
		wants := slices.ContainsFunc(pod.Images, func(i ledger.PodImage) bool { return i.Ref == ref && i.PullPolicy != corev1.PullNever })
		if !wants || pod.UID == o.r.UID || pod.Namespace != o.r.Namespace {
			continue
		}
		tied, here := 0, false
		for other := range o.s.Nodes() {
			if pod.Placement.TiedTo(&other.Node.Node) {
				tied++
				here = here || other.Name == row.Name && pod.Placement.Possible(&other.Node.Node, nil)
			}
		}
		if pod.NominatedNodeName == row.Name || tied == 1 && here && !pod.Gated && !pod.Unschedulable {
			return true
		}
	}
	return false
}
