// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"cmp"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/placement"
)

// Waiting is pods that may still be bound to one of several nodes. They want the same
// images and the same of a node, so that one of them stands for all.
type Waiting struct {
	// Images are those that come to some node with it, unless they are there, each
	// once. Others are what it wants besides: images of the view, and those that the
	// low bound of some node's [Account.Reserved] has already.
	Images, Others []imageref.Ref

	wants      []PodImage // of the pod that stands for all
	placement  *placement.Constraints
	candidates *candidates
}

// Possible reports whether the pods could ever land on the node, TiedTo whether they
// could if there were no taints; see placement. The row must be of the same snapshot.
func (w *Waiting) Possible(row *NodeRow) bool { return w.candidates.possible.has(row.row.slot) }

// TiedTo is explained at [Waiting.Possible].
func (w *Waiting) TiedTo(row *NodeRow) bool { return w.candidates.tied.has(row.row.slot) }

// Ready reports whether one of the pods could land on the node now, with what it
// requests.
func (w *Waiting) Ready(row *NodeRow) bool {
	return w.Possible(row) && w.placement.Likely(&row.Node.Node, row.Free())
}

// Nodes is how many nodes are possible, TiedNodes how many would be if there were no
// taints.
func (w *Waiting) Nodes() int { return w.candidates.possibleCount }

// TiedNodes is explained at [Waiting.Nodes].
func (w *Waiting) TiedNodes() int { return w.candidates.tiedCount }

// maxArrivals bounds how many pods [Accounts.Waiting] looks at, maxArrivalImages how
// many images of those that are not the same: a pod may name thousands.
const maxArrivals, maxArrivalImages = 4096, 4096

// Waiting returns pods of the view's namespace that wait for one of several nodes, and
// were created within that time before the view's now, or after it: clocks differ. It
// is in whole seconds. Left out are gated and unschedulable pods, the pod judged, those
// that pull no image, and those for which no node is left. Where there
// are more than limit, too many to look at, or one with more images than are known, it
// returns none.
func (a *Accounts) Waiting(within time.Duration, limit int) []Waiting {
	var waiting []Waiting
	looked, images, now := 0, 0, a.view.Now.Unix()
	for at := now - int64(within.Seconds()); at <= now+int64(within.Seconds()); at++ {
		arrived, _ := a.s.arrivals.get(arrival{a.view.Namespace, at})
		if arrived == nil {
			continue
		}
		if looked += len(arrived.pods); looked > maxArrivals {
			return nil
		}
		for i := range arrived.pods {
			u := &arrived.pods[i]
			switch {
			case !a.mayArrive(u):
				continue
			case u.pod.MoreImages:
				return nil
			case slices.ContainsFunc(waiting, func(w Waiting) bool { return a.standsFor(&w, u) }):
				continue
			}
			if images += len(u.pod.Images); images > maxArrivalImages {
				return nil
			}
			if waiting = a.withArrival(waiting, u); len(waiting) > limit {
				return nil
			}
		}
	}
	return waiting
}

// mayArrive reports whether a pod may come to one of several nodes.
func (a *Accounts) mayArrive(u *unboundPod) bool {
	set := a.s.candidates[u.group]
	return u.pod.UID != a.view.Pod && u.pod.NominatedNodeName == "" && set.tiedCount != 1 && set.possibleCount > 0
}

func (a *Accounts) withArrival(waiting []Waiting, u *unboundPod) []Waiting {
	w := Waiting{wants: u.pod.Images, placement: u.pod.Placement, candidates: a.s.candidates[u.group]}
	if w.placement == nil {
		w.placement = placement.Of(nil)
	}
	for i := range u.pod.Images {
		image := &u.pod.Images[i]
		switch {
		case image.PullPolicy == corev1.PullNever:
		case slices.Contains(a.view.Images, image.Ref), a.decided(image.Ref):
			w.Others = append(w.Others, image.Ref)
		default:
			w.Images = append(w.Images, image.Ref)
		}
	}
	if len(w.Images) == 0 && len(w.Others) == 0 || slices.ContainsFunc(waiting, w.same) {
		return waiting
	}
	return append(waiting, w)
}

// standsFor is same for a pod with the very same images: replicas are many, and what
// becomes of their images takes a while to find out.
func (a *Accounts) standsFor(w *Waiting, u *unboundPod) bool {
	sameImage := func(a, b PodImage) bool { return a.Ref == b.Ref && a.PullPolicy == b.PullPolicy }
	return u.pod.Placement != nil && w.candidates == a.s.candidates[u.group] &&
		w.placement.Requests().Equal(u.pod.Placement.Requests()) && slices.EqualFunc(w.wants, u.pod.Images, sameImage)
}

func (w *Waiting) same(o Waiting) bool {
	return w.candidates == o.candidates && slices.Equal(w.Images, o.Images) && slices.Equal(w.Others, o.Others) &&
		w.placement.Requests().Equal(o.placement.Requests())
}

// Awaited reports whether some pod of the view's namespace, but the one judged, waits
// for the image and may be bound any time.
func (a *Accounts) Awaited(ref imageref.Ref) bool {
	return a.anyWants(ref, func(_ *want, eager, _ int) bool { return eager > 0 })
}

// decided reports whether some pod of the view's namespace is sure to bring the image
// to a certain node.
func (a *Accounts) decided(ref imageref.Ref) bool {
	return a.anyWants(ref, func(w *want, eager, held int) bool {
		return w.nominated != "" && eager+held > 0 || eager > 0 && a.s.candidates[w.group].tiedCount == 1
	})
}

func (a *Accounts) anyWants(ref imageref.Ref, counts func(w *want, eager, held int) bool) bool {
	r := a.s.reservationOf(ref)
	return r != nil && slices.ContainsFunc(r.wants, func(w want) bool {
		eager, held := a.waitFor(&w, ref)
		return w.namespace == a.view.Namespace && counts(&w, eager, held)
	})
}

// reservationOf returns who waits to pull an image, nil for nobody.
func (s *Snapshot) reservationOf(ref imageref.Ref) *reservation {
	place, found := slices.BinarySearchFunc(s.reservations, ref, func(r *reservation, ref imageref.Ref) int {
		return cmp.Compare(r.ref.String(), ref.String())
	})
	if !found {
		return nil
	}
	return s.reservations[place]
}
