// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"cmp"
	"slices"

	"k8s.io/apimachinery/pkg/types"
)

// arrival is when pods of a namespace were created: those of the last seconds are
// found without a look at the others, which may wait for days.
type arrival struct {
	namespace   string
	unixSeconds int64
}

func arrivalOf(p *Pod) arrival { return arrival{p.Namespace, p.CreatedUnixSeconds} }

// eager reports whether nothing is known to keep a pod that waits from being bound.
func (p *Pod) eager() bool { return !p.Gated && !p.Unschedulable }

// arrive adds an unbound pod to those of its second; depart takes it away.
func (l *Ledger) arrive(u unboundPod) {
	if !u.pod.eager() {
		return
	}
	same, _ := l.next.arrivals.get(arrivalOf(u.pod))
	place, found := placeOf(same, u.pod.UID)
	if same = slices.Clone(same); found {
		same[place] = u
	} else {
		same = slices.Insert(same, place, u)
	}
	l.next.arrivals = l.next.arrivals.with(arrivalOf(u.pod), same)
}

func (l *Ledger) depart(p *Pod) {
	same, _ := l.next.arrivals.get(arrivalOf(p))
	place, found := placeOf(same, p.UID)
	switch {
	case !found:
	case len(same) == 1:
		l.next.arrivals = l.next.arrivals.without(arrivalOf(p))
	default:
		l.next.arrivals = l.next.arrivals.with(arrivalOf(p), slices.Delete(slices.Clone(same), place, place+1))
	}
}

func placeOf(sorted []unboundPod, uid types.UID) (place int, found bool) {
	return slices.BinarySearchFunc(sorted, uid, func(u unboundPod, uid types.UID) int { return cmp.Compare(u.pod.UID, uid) })
}
