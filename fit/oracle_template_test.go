// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fit

import (
	"github.com/headroom-dev/headroom/ledger"
	"github.com/headroom-dev/headroom/placement"
	"github.com/headroom-dev/headroom/policy"
	"github.com/headroom-dev/headroom/verdict"
)

// free is what there is for a pod on a node; a DaemonSet's waits until it is enough.
func (o oracle) free(row *ledger.NodeRow) placement.Resources {
	if o.r.Workload != nil && o.r.Workload.EveryNode {
		return o.r.Placement.Requests()
	}
	return row.Free()
}

// canTake counts the nodes on which one pod would not reach warnAt, for all that is known.
func (o oracle) canTake(scope []judged) int {
	n := 0
	for _, j := range scope {
		if j.likely != verdict.Unknown && j.likely.Severity() < o.p.WarnAt.Severity() {
			n++
		}
	}
	return n
}

// crowds hands out the replicas one by one, to nodes that are good, or of which nothing is known, or that are busy and have the
// images: to each as many as are allowed there, and as its processors, its GPUs and its limit of pods are enough for. It reports whether
// one is left for which there is only an overloaded node.
func (o oracle) crowds(op opinion, all, scope []judged) bool {
	w := o.r.Workload
	if w == nil || op.overloaded == 0 {
		return false
	}
	left := w.Replicas
	place := func(j judged) {
		cpu, cards := j.row.Allocatable.MilliCPU, j.row.Allocatable.Extended[gpus]
		for n := 1; left > 0 && (n == 1 || (w.PerNode == 0 || n <= w.PerNode) && int64(n) <= j.row.Allocatable.Pods); n++ {
			cpu, cards = cpu-o.r.Placement.Requests().MilliCPU, cards-o.wishes.gpus
			if (cpu < 0 || cards < 0) && n > 1 {
				return
			}
			left--
		}
	}
	for _, j := range scope {
		if j.likely == verdict.Unknown || j.likely.Severity() < o.p.WarnAt.Severity() {
			place(j)
		}
	}
	for _, j := range all {
		if op.likely > 0 && !j.ready && j.likely == verdict.Fits && j.need == 0 {
			place(j)
		}
	}
	return left > 0
}

// everyNode decides about a template of which each node gets a pod.
func (o oracle) everyNode(op opinion, scope []judged, mode policy.Mode) opinion {
	worst, undecided := verdict.Fits, Reason("")
	for _, j := range scope {
		if j.likely == verdict.Unknown {
			undecided = worse(undecided, j.why)
		} else if j.likely.Severity() > worst.Severity() {
			worst = j.likely
		}
	}
	switch {
	case op.overloaded > 0:
		op.verdict = worst
		if mode == policy.Warn || mode == policy.Enforce {
			op.action = Warn
		}
	case undecided != "":
		op.reason = undecided
	default:
		op.verdict = worst
	}
	return op
}
