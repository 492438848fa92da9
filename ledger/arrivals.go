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

// arrived are the pods of an arrival, by UID. They never change once they have been published.
type arrived struct {
	pods  []unboundPod
	batch uint64 // Ledger.batch as of which they were put together
}

func arrivalOf(p *Pod) arrival { return arrival{p.Namespace, p.CreatedUnixSeconds} }

// eager reports whether nothing is known to keep a pod that waits from being bound.
func (p *Pod) eager() bool { return !p.Gated && !p.Unschedulable }

// arrive adds an unbound pod to those of its second; depart takes it away.
func (l *Ledger) arrive(u unboundPod) {
	if !u.pod.eager() {
		return
	}
	same := l.arrivalsWith(u.pod)
	if place, found := placeOf(same.pods, u.pod.UID); found {
		same.pods[place] = u
	} else {
		same.pods = slices.Insert(same.pods, place, u)
	}
}

func (l *Ledger) depart(p *Pod) {
	same, _ := l.next.arrivals.get(arrivalOf(p))
	if same == nil {
		return
	}
	place, found := placeOf(same.pods, p.UID)
	switch {
	case !found:
	case len(same.pods) == 1:
		l.next.arrivals = l.next.arrivals.without(arrivalOf(p))
	default:
		same = l.arrivalsWith(p)
		same.pods = slices.Delete(same.pods, place, place+1)
	}
}

// arrivalsWith returns the pods that have arrived with one, to be changed.
func (l *Ledger) arrivalsWith(p *Pod) *arrived {
	same, _ := l.next.arrivals.get(arrivalOf(p))
	switch {
	case same == nil:
		same = &arrived{batch: l.batch}
	case same.batch == l.batch:
		return same
	default:
		same = &arrived{pods: slices.Clone(same.pods), batch: l.batch}
	}
	l.next.arrivals = l.next.arrivals.with(arrivalOf(p), same)
	return same
}

func placeOf(sorted []unboundPod, uid types.UID) (place int, found bool) {
	return slices.BinarySearchFunc(sorted, uid, func(u unboundPod, uid types.UID) int { return cmp.Compare(u.pod.UID, uid) })
}
