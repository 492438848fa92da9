// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/headroom-dev/headroom/estimate"
	"github.com/headroom-dev/headroom/imageref"
)

// demand is what unbound pods want of one image on one node.
type demand struct {
	any bool
	// expected is how many of them will likely land here.
	expected float64
	// certain says that one of them, of the view's namespace, can't land anywhere
	// else, or is planned here.
	certain bool
}

// reservations accounts for the images of pods that are not bound.
func (a *accountant) reservations() {
	if len(a.s.reservations) == 0 {
		return
	}
	p := a.plan()
	if p.byName == nil {
		for i := range p.items {
			if item := &p.items[i]; !a.underWay(item) {
				a.reserve(a.costHere(item))
			}
		}
		return
	}
	// All of them, less what costs nothing here and what is looked at for itself.
	underWay, rest := a.underWayOf(p), p.sum
	for _, i := range underWay {
		rest.take(p.items[i].cost)
	}
	var apart []int
	for _, i := range p.certain {
		if _, taken := slices.BinarySearch(underWay, i); !taken {
			rest.take(p.items[i].cost)
			apart = append(apart, i)
		}
	}
	a.reserve(rest.bytes())
	for _, i := range apart {
		a.reserve(a.costHere(&p.items[i]))
	}
}

// reserve adds a cost. None is negative, so that a bound once reached stays.
func (a *accountant) reserve(cost estimate.Bytes) {
	total := &a.result.Reserved
	total.Low = estimate.SaturatingAdd(total.Low, cost.Low)
	total.Likely = estimate.SaturatingAdd(total.Likely, cost.Likely)
	total.High = estimate.SaturatingAdd(total.High, cost.High)
}

// costHere is what an image costs that is not under way to this node. What one that is certain to come shares with what is
// there, or counted before it, is not counted twice.
func (a *accountant) costHere(p *planned) estimate.Bytes {
	if p.certain.Low <= 0 || !a.certainlyAbsent(p.ref, p.certain.Low) {
		return p.cost
	}
	low := a.pull(p.ref, a.ahead).Disk.Low
	a.ahead = append(a.ahead, coming{ref: p.ref, repository: p.ref.Repository(), known: a.s.layersOf(p.ref, a.kind.platform)})
	return estimate.Bytes{Low: low, Likely: max(p.cost.Likely, low), High: max(p.cost.High, low)}
}

// podsOf says which pods are asked about.
type podsOf int

const (
	ofAllPods podsOf = iota
	// ofRoamingPods are those that could land on more than one node.
	ofRoamingPods
)

// demand sums up who of some pods wants an image and could land on the node, which is in the snapshot of the reservation; the pod
// judged is left out.
func (a *accountant) demand(r *reservation, in *Snapshot, of podsOf) demand {
	var d demand
	for i := range r.wants {
		w := &r.wants[i]
		set := in.candidates[w.group]
		if of == ofRoamingPods && set.isTied() {
			continue
		}
		eager, held := a.waitFor(w, r.ref)
		nominated := w.nominated != "" && w.nominated == a.node.Name
		if eager+held <= 0 || !nominated && !set.possible.has(a.row.slot) {
			continue
		}
		d.any = true
		own := w.namespace == a.view.Namespace
		switch {
		case nominated:
			// Pods that wait for their victims to go are unschedulable until then.
			d.expected += float64(eager + held)
			d.certain = d.certain || own
		case eager > 0:
			d.expected += float64(eager) / float64(set.possibleCount)
			d.certain = d.certain || own && set.tiedCount == 1
		}
	}
	return d
}

// waitFor is how many pods want the image, but for the one judged.
func (a *Accounts) waitFor(w *want, ref imageref.Ref) (eager, held int) {
	judged := a.judged
	if judged == nil || !w.ofPod(judged.pod, judged.group) || !wantsImage(judged.pod, ref) {
		return w.eager, w.held
	}
	if !judged.pod.eager() {
		return w.eager, w.held - 1
	}
	return w.eager - 1, w.held
}

func wantsImage(p *Pod, ref imageref.Ref) bool {
	return slices.ContainsFunc(p.Images, func(image PodImage) bool { return image.Ref == ref && image.PullPolicy != corev1.PullNever })
}
