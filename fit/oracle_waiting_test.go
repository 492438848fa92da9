// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fit

import (
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/ledger"
	"github.com/headroom-dev/headroom/verdict"
)

// reserved returns how much has to be taken from each node so that no one holds more than what pods that wait leave of all,
// nil where they leave enough.
func (o oracle) reserved(all []judged) map[string]int64 {
	brings := o.brings(all)
	if brings == 0 || o.p.DenyAt == verdict.NeverFits {
		return nil
	}
	need, left := int64(1<<62), -brings
	for _, j := range all {
		if j.optimistic.Severity() < 0 {
			return nil
		}
		left += o.room(j, 0)
		if low, _, _, _ := o.need(j.row, j.account, false, 0); j.optimistic.Severity() < o.p.DenyAt.Severity() {
			need = min(need, low)
		}
	}
	if need == 1<<62 || need <= left || need == 0 {
		return nil
	}
	taken := map[string]int64{}
	for _, j := range all {
		for o.room(j, taken[j.row.Name]) > max(left, 0) {
			taken[j.row.Name]++
		}
		if worst := o.room(j, taken[j.row.Name]); taken[j.row.Name] > 0 && worst != max(left, 0) {
			panic("room does not grow one by one")
		}
	}
	return taken
}

// room is how much a pod may need on a node without reaching denyAt, with so much taken from what is available.
func (o oracle) room(j judged, taken int64) int64 {
	a := j.account
	a.Available.High -= taken
	need := int64(1 << 14) // The least with which it does.
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

// brings sums up what images that pods wait for add to the nodes of the pod that is judged, at the least.
func (o oracle) brings(all []judged) int64 {
	sum := int64(0)
	for _, ref := range waitedFor() {
		least, counts := int64(1<<62), true
		for pod := range o.s.UnboundPods() {
			wants := slices.ContainsFunc(pod.Images, func(i ledger.PodImage) bool { return i.Ref == ref && i.PullPolicy != corev1.PullNever })
			if !wants || pod.UID == o.r.UID || pod.Namespace != o.r.Namespace {
				continue
			}
			lands, tied := o.lands(pod)
			held := pod.Gated || pod.Unschedulable
			counts = counts && pod.NominatedNodeName == "" && (held || tied != 1)
			for _, row := range lands {
				if !held {
					least = min(least, o.bringsTo(row, ref, all))
				}
			}
		}
		if slices.ContainsFunc(o.r.Images, func(i imageref.Image) bool { return i.Ref == ref }) || !counts || least == 1<<62 {
			continue
		}
		sum += least
	}
	return sum
}

func waitedFor() (refs []imageref.Ref) {
	for i := range 6 {
		refs = append(refs, imageOf(i))
	}
	return refs
}

// lands returns where a pod may land, none where nothing but a taint of startup would let it, and the number of nodes that
// it is tied to.
func (o oracle) lands(pod *ledger.Pod) (rows []*ledger.NodeRow, tied int) {
	possible := 0
	for row := range o.s.Nodes() {
		if !pod.Placement.TiedTo(&row.Node.Node) {
			continue
		}
		tied++
		now := pod.Placement.Possible(&row.Node.Node, nil)
		if now {
			possible++
		}
		starting := slices.ContainsFunc(row.Taints, func(t corev1.Taint) bool { return slices.Contains(o.p.StartupTaints, t.Key) })
		if now || starting {
			rows = append(rows, row)
		}
	}
	if possible == 0 {
		return nil, tied
	}
	return rows, tied
}

// bringsTo is what an image adds to a node at the least, nothing where the pod that is judged can't land.
func (o oracle) bringsTo(row *ledger.NodeRow, ref imageref.Ref, all []judged) int64 {
	for _, j := range all {
		if j.row.Name != row.Name {
			continue
		}
		size := o.size(row, ref)
		bounded := j.account.Tier == ledger.Measured && !wantedByPods(row, ref)
		absent := row.Presence(ref) == ledger.Absent ||
			row.Presence(ref) == ledger.PresenceUnsure && bounded && size.Disk.Low > j.account.CapacityBytes-j.account.Measured.Likely
		if absent && !slices.Contains(j.account.Pulling, ref) {
			return size.Disk.Low
		}
	}
	return 0
}
