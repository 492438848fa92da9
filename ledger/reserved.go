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

// planned is what one image of unbound pods adds to nodes that lack it.
type planned struct {
	ref  imageref.Ref
	hash uint64 // nameHash of ref
	cost estimate.Bytes
	// certain is cost where the image is certainly absent.
	certain estimate.Bytes
}

// reservations accounts for the images of pods that are not bound.
func (a *accountant) reservations() {
	if len(a.s.reservations) == 0 {
		return
	}
	plan := a.plan()
	total := &a.result.Reserved
	for i := range plan {
		p := &plan[i]
		if a.underWay(p) {
			continue
		}
		cost := &p.cost
		if p.certain.Low > 0 && a.certainlyAbsent(p.ref, p.certain.Low) {
			// What it shares with what is there, or counted before it, is not counted twice.
			low := a.pull(p.ref, a.ahead).Disk.Low
			cost = &estimate.Bytes{Low: low, Likely: max(p.cost.Likely, low), High: max(p.cost.High, low)}
			a.ahead = append(a.ahead, coming{ref: p.ref, repository: p.ref.Repository(), known: a.s.layersOf(p.ref, a.kind.platform)})
		}
		// None of them is negative, so that a bound once reached stays.
		total.Low = estimate.SaturatingAdd(total.Low, cost.Low)
		total.Likely = estimate.SaturatingAdd(total.Likely, cost.Likely)
		total.High = estimate.SaturatingAdd(total.High, cost.High)
	}
}

// plan returns what is reserved here. It is the same for all nodes of a kind on
// which the same groups could land, unless the node is planned for some pod.
func (a *accountant) plan() []planned {
	if _, nominated := a.nominated[a.node.Name]; nominated || a.single {
		return a.newPlan()
	}
	a.groups = a.groups[:0]
	for first := 0; first < len(a.s.candidates); first += 8 {
		groups := byte(0)
		for bit, c := range a.s.candidates[first:min(first+8, len(a.s.candidates))] {
			if c != nil && c.possible.has(a.row.slot) {
				groups |= 1 << bit
			}
		}
		a.groups = append(a.groups, groups)
	}
	k := a.kind
	if string(a.groups) == k.lastGroups && k.lastPlan != nil {
		return k.lastPlan
	}
	plan, known := k.plans[string(a.groups)]
	key := string(a.groups)
	if !known {
		plan = a.newPlan()
		k.plans[key] = plan
	}
	k.lastGroups, k.lastPlan = key, plan
	return plan
}

func (a *accountant) newPlan() []planned {
	plan := make([]planned, 0, len(a.s.reservations))
	for _, r := range a.s.reservations {
		d := a.demand(r)
		if !d.any || slices.Contains(a.view.Images, r.ref) {
			continue
		}
		size := a.size(r.ref)
		cost := size.Disk
		weight := min(d.expected, 1)
		likely := estimate.Exactly(cost.Likely).Times(estimate.Factor{Low: weight, Likely: weight, High: weight}).Likely
		p := planned{ref: r.ref, hash: r.hash, cost: estimate.Between(0, likely, cost.High)}
		if d.certain {
			p.certain = estimate.Between(cost.Low, max(likely, cost.Low), cost.High)
		}
		plan = append(plan, p)
	}
	return plan
}

// underWay reports whether the image costs nothing more: it is here, or a bound
// pod waits for it.
func (a *accountant) underWay(p *planned) bool {
	if a.row.list.names.mayHold(p.hash) {
		if _, listed := a.row.list.find(p.ref); listed {
			return true
		}
	}
	if !a.row.facts.names.mayHold(p.hash) {
		return false
	}
	if a.row.facts.of(p.ref).pulled {
		return true
	}
	for i := range a.row.facts.claims {
		if c := &a.row.facts.claims[i]; c.ref == p.ref && c.state == pending {
			_, concerned := a.due(c)
			return concerned
		}
	}
	return false
}

// demand sums up who wants an image and could land on the node; the pod judged
// is left out.
func (a *accountant) demand(r *reservation) demand {
	var d demand
	for i := range r.wants {
		w := &r.wants[i]
		eager, held := a.waitFor(w, r.ref)
		set := a.s.candidates[w.group]
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
