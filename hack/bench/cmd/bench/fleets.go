// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"time"

	"github.com/headroom-dev/headroom/hack/bench/fleet"
	"github.com/headroom-dev/headroom/hack/bench/measure"
	"github.com/headroom-dev/headroom/hack/bench/peer"
)

// openRate is of the open loops, requests a second: what a very busy cluster creates.
const openRate = 500

// fullRequests asks every webhook.
func fullRequests(part measure.Part, turn time.Duration, most int) measure.RequestOptions {
	o := measure.RequestOptions{
		Part: part, Duration: turn, Rate: openRate,
		Peers: []string{peer.Bare, peer.ControllerRuntime, peer.ControllerRuntimeTyped, measure.PodSecurity, peer.SameDecoding},
	}
	for _, nodes := range upTo(most, 100, 1000, 5000, 15000) {
		o.Fleets = append(o.Fleets, fleet.Of(nodes, fleet.Roomy))
	}
	for _, nodes := range upTo(most, 1000, 5000, 15000) {
		o.Fleets = append(o.Fleets, fleet.Of(nodes, fleet.NearlyFull))
	}
	for _, nodes := range upTo(most, 1000, 15000) {
		o.Fleets = append(o.Fleets, fleet.Of(nodes, fleet.Burst))
	}
	return o
}

// fullDecisions are over the largest fleets, and weigh ledgers.
func fullDecisions(part measure.Part, turn time.Duration, most int) measure.DecisionOptions {
	o := measure.DecisionOptions{Part: part, Duration: turn}
	for _, nodes := range upTo(most, 15000) {
		many := fleet.Of(nodes, fleet.Roomy)
		many.ImagesPerNode = 200
		o.Fleets = append(o.Fleets, fleet.Of(nodes, fleet.Roomy), many, fleet.Of(nodes, fleet.NearlyFull), fleet.Of(nodes, fleet.Burst))
	}
	for _, nodes := range upTo(most, 1000, 5000) {
		o.Ledgers = append(o.Ledgers, bare(nodes, 0))
	}
	o.Ledgers = append(o.Ledgers, bare(1000, 30))
	return o
}

// bare has no pods but those of its nodes: what a ledger takes by the node, and by the pod, is the difference between such fleets.
func bare(nodes, podsPerNode int) fleet.Spec {
	f := fleet.Of(nodes, fleet.Roomy)
	f.PodsPerNode, f.WaitingPods = podsPerNode, 0
	return f
}

// sizes are those of whole clusters: the one that targets are about, and a small one to see what grows.
func sizes(most int) []measure.Size {
	var all []measure.Size
	for _, nodes := range upTo(most, 1000, 15000) {
		all = append(all, measure.Size{Nodes: nodes, Pods: nodes * 100 / 3})
	}
	return all
}

// upTo are the numbers that are not more than most.
func upTo(most int, numbers ...int) []int {
	var all []int
	for _, n := range numbers {
		if n <= most {
			all = append(all, n)
		}
	}
	return all
}
