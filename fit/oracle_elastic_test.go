// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fit

import (
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/headroom-dev/headroom/ledger"
	"github.com/headroom-dev/headroom/policy"
)

// wishes are what the pod of a random world asks of its node, besides room for images.
type wishes struct {
	pool string // the value of the label "pool", empty for none
	host bool   // the pod selects the host name of n1
	gpus int64
}

// pod is one with these wishes. What it runs says nothing.
func (w wishes) pod() *corev1.Pod {
	pod := podOf("any")
	switch {
	case w.host:
		selects(corev1.LabelHostname, "n1")(pod)
	case w.pool != "":
		selects("pool", w.pool)(pod)
	}
	if w.gpus > 0 {
		requests(gpus, strconv.FormatInt(w.gpus, 10))(pod)
	}
	return pod
}

// A world's nodes are in pools by the label "pool" alone: these are all the labels that a new node can have.
var poolValues = []string{"x", "y", "z", "another"}

// elastic reports whether a new node may hold the pod: one like a node that is there, on the largest disk of its pool, or
// one of a kind that nobody has seen.
func (o oracle) elastic(all []judged, huge int64) bool {
	if o.r.Placement.NodeName() != "" || o.wishes.host {
		return false
	}
	for _, j := range all {
		pool := o.p.PoolOf(j.row.LabelSet())
		if !o.grows(pool) {
			continue
		}
		low, _, _, _ := o.need(j.row, j.account, true, huge)
		for row := range o.s.Nodes() {
			if a := o.account(row); o.p.PoolOf(row.LabelSet()) == pool && !a.Stale && (a.Tier == ledger.Measured || a.Tier == ledger.Declared) &&
				low <= a.CapacityBytes-a.EvictionLineBytes {
				return true
			}
		}
	}
	return len(all) > 0 && (o.unseenWanted(all) && slices.ContainsFunc(poolValues, o.mayComeIn) || slices.ContainsFunc(poolValues, o.declaredIn))
}

// declaredIn reports whether the policy says that nodes with this label come, none of their pool is there yet, and the pod could
// go to them.
func (o oracle) declaredIn(value string) bool {
	pool := o.p.PoolOf(labels.Set{"pool": value})
	if pool == nil || pool.Elastic != policy.ElasticTrue || o.wishes.pool != "" && o.wishes.pool != value {
		return false
	}
	for row := range o.s.Nodes() {
		if o.p.PoolOf(row.LabelSet()) == pool {
			return false
		}
	}
	return true
}

// grows is the rule for a pool: the policy's word, or else any sign of an autoscaler.
func (o oracle) grows(pool *policy.NodePool) bool {
	if pool != nil && pool.Elastic != policy.ElasticAuto {
		return pool.Elastic == policy.ElasticTrue
	}
	signal := o.s.Autoscaler().Present
	for row := range o.s.Nodes() {
		for key := range row.Labels {
			signal = signal || slices.Contains(AutoscalerLabels(), key)
		}
	}
	return signal
}

// mayComeIn reports whether a new node with this label may come, and the pod go to it.
func (o oracle) mayComeIn(value string) bool {
	return (o.wishes.pool == "" || o.wishes.pool == value) && o.grows(o.p.PoolOf(labels.Set{"pool": value}))
}

// unseenWanted reports whether a group without nodes is told of, or may be, or no node in reach has the GPUs and processors for
// the pod: of those that are not of fixed number where there are such.
func (o oracle) unseenWanted(all []judged) bool {
	autoscaler := o.s.Autoscaler()
	if autoscaler.Present && autoscaler.Groups == nil {
		return true
	}
	for _, group := range autoscaler.Groups {
		if group.Nodes == 0 && group.MaxNodes > 0 {
			return true
		}
	}
	var fixed, other []bool
	for _, j := range all {
		have := j.row.Allocatable.Extended[gpus] >= o.wishes.gpus && j.row.Allocatable.MilliCPU >= o.r.Placement.Requests().MilliCPU
		if pool := o.p.PoolOf(j.row.LabelSet()); pool != nil && pool.Elastic == policy.ElasticFalse {
			fixed = append(fixed, have)
		} else {
			other = append(other, have)
		}
	}
	if len(other) == 0 {
		other = fixed
	}
	return !slices.Contains(other, true)
}
