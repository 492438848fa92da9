// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package decision

import (
	"time"

	"github.com/headroom-dev/headroom/controller"
	"github.com/headroom-dev/headroom/fit"
	"github.com/headroom-dev/headroom/ledger"
	"github.com/headroom-dev/headroom/policy"

	"github.com/headroom-dev/headroom/hack/bench/fleet"
)

const (
	// maxAmid bounds how many decisions are made amid others: before each, the order of nodes is brought up to date.
	maxAmid = 1000
	// queue is how many of the pods that come wait at the same time.
	queue = 50
)

// amid decides about pods while others that want the same images come: before each decision one more waits, and one that waited
// is bound to a node and begins to pull. What is decided in an order of nodes is forgotten with it.
func (d *Decider) amid(length time.Duration) []time.Duration {
	defaults, now := policy.Default(), fleet.Epoch
	f := fit.NewFleet(d.ledger.Snapshot(), defaults, now)
	evaluator := fit.Evaluator{
		Snapshot: d.ledger.Snapshot, Policy: func() *policy.Policy { return defaults }, Clock: func() time.Time { return now },
		Fleet: func() *fit.Fleet { return f },
	}
	var pods []ledger.Pod // by the order in which they come; none of them comes again
	var took []time.Duration
	for began := time.Now(); len(took) < len(d.requests) || time.Since(began) < length && len(took) < maxAmid; {
		now = now.Add(time.Millisecond)
		i := len(pods)
		pods = append(pods, controller.PodOf(d.fleet.WaitingPod(d.fleet.WaitingPods+d.come)))
		d.come++
		d.ledger.SetPod(pods[i], now)
		if i >= queue {
			bound := &pods[i-queue]
			bound.NodeName = d.fleet.Node(i * 7 % d.fleet.Nodes).Name
			d.ledger.SetPod(*bound, now)
		}
		f = f.Next(d.ledger.Snapshot(), defaults, now)
		request := d.requests[i%len(d.requests)]
		at := time.Now()
		evaluator.Evaluate(request)
		took = append(took, time.Since(at))
	}
	for i := range pods {
		d.ledger.DeletePod(pods[i].UID, now)
	}
	return took
}
