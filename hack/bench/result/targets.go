// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package result

import (
	"fmt"

	"github.com/headroom-dev/headroom/hack/bench/fleet"
	"github.com/headroom-dev/headroom/hack/bench/load"
	"github.com/headroom-dev/headroom/hack/bench/peer"
)

// Gatekeeper is the name of the engine that has the rule as a referential constraint.
const Gatekeeper = "gatekeeper"

// Ways of admission through the API server.
const (
	WayNone     = "none"
	WayVAP      = "vap"                  // a ValidatingAdmissionPolicy
	WayWebhook  = peer.ControllerRuntime // a webhook that admits at once
	WayHeadroom = "headroom"
)

// The rates that targets are about, a second: pods that are created, and requests.
const (
	PodRate     = 100
	RequestRate = 1000
)

// Checks are all targets. This is the one table of limits, and of what `make bench-quick` fails on: a guard is about 1.3 times
// the limit for ratios of processor time, which differ by up to a tenth from run to run here, and four times for times, which
// depend on the machine.
func Checks() []Check {
	var all []Check
	for _, part := range [][]Check{requestChecks(), decisionChecks(), throughAPIServer(), engineChecks(), serviceChecks()} {
		all = append(all, part...)
	}
	return all
}

func requestChecks() []Check {
	ratio := func(target, what string, limit, guarded float64, of, to webhook) Check {
		return Check{
			Target: target, What: what, Unit: "x", Limit: limit, Guard: new(guarded),
			value: func(r *Results) Figure { return r.cpu(of).over(r.cpu(to)) },
		}
	}
	manager, decoding := webhook{peer: peer.ControllerRuntime}, webhook{peer: peer.SameDecoding}
	var all []Check
	for _, nodes := range []int{1000, 5000, 15000} {
		all = append(all, ratio("P1", fmt.Sprintf("CPU a request / controller-runtime no-op (decodes no pod), %s nodes", grouped(float64(nodes))),
			0.65, 0.85, headroomOf(nodes, fleet.Roomy), manager))
	}
	all = append(all,
		ratio("P2", "CPU a request / no-op with the same decoding, 1,000 nodes", 1.03, 1.3, headroomOf(1000, fleet.Roomy), decoding),
		ratio("P2", "the same, 15,000 nodes", 1.10, 1.4, headroomOf(15000, fleet.Roomy), decoding),
		ratio("P2", "the same, 1,000 nodes nearly full", 1.4, 1.8, headroomOf(1000, fleet.NearlyFull), decoding),
		ratio("P2", "the same, 15,000 nodes nearly full", 1.4, 1.8, headroomOf(15000, fleet.NearlyFull), decoding),
		ratio("P3", "CPU a request, 15,000 nodes / 100 nodes", 1.10, 1.4, headroomOf(15000, fleet.Roomy), headroomOf(100, fleet.Roomy)),
	)
	return all
}

func decisionChecks() []Check {
	var all []Check
	add := func(what, unit string, limit, guarded float64, images int, kind string, of func(*Decision) float64) {
		c := Check{
			Target: "P4", What: what, Unit: unit, Limit: limit,
			value: func(r *Results) Figure { return r.decision(15000, images, kind, of).figure() },
		}
		if images == 50 { // A fleet with more takes too long to make for a guard.
			c.Guard = new(guarded)
		}
		all = append(all, c)
	}
	p50 := func(d *Decision) float64 { return d.Latency.P50 }
	p99 := func(d *Decision) float64 { return d.Latency.P99 }
	for _, images := range []int{50, 200} {
		fleetOf := fmt.Sprintf("15,000 nodes x %d images", images)
		add("decision, "+fleetOf+", p50", "µs", 5, 20, images, fleet.Roomy, p50)
		add("the same, p99", "µs", 50, 200, images, fleet.Roomy, p99)
		add("the same, allocations where the pod fits", "", 0, 0.01, images, fleet.Roomy, func(d *Decision) float64 { return d.Allocations })
	}
	add("decision, 15,000 nodes nearly full, p50", "µs", 50, 200, 50, fleet.NearlyFull, p50)
	return all
}

func throughAPIServer() []Check {
	capacity := func(nodes int) Check {
		return Check{
			Target: "P7", What: fmt.Sprintf("decisions a second and core, %s nodes", grouped(float64(nodes))), Unit: "/s", Limit: 8000, AtLeast: true,
			value: func(r *Results) Figure { return r.perCore(headroomOf(nodes, fleet.Roomy)).figure() },
		}
	}
	busy := func(what, unit string, limit float64, of func(*Asked) float64) Check {
		return Check{Target: "P5", What: what, Unit: unit, Limit: limit, value: func(r *Results) Figure {
			return r.asked(size{15000, 500_000}, RequestRate, of).figure()
		}}
	}
	return []Check{
		busy("1,000 req/s among 5,000 pod and 1,500 node events/s: p99 / bare no-op's", "x", 1.5, func(a *Asked) float64 {
			return a.Headroom.Latency.P99 / a.Bare.Latency.P99
		}),
		busy("the same, p99", "ms", 5, func(a *Asked) float64 { return a.Headroom.Latency.P99 / 1000 }),
		busy("the same, errors", "", 0, func(a *Asked) float64 { return float64(a.Headroom.Errors) }),
		{
			Target: "P6", What: `calls in the API server's own bucket le="0.005" at 100 pod creates/s`, Unit: "%", Limit: 99, AtLeast: true,
			value: func(r *Results) Figure {
				return r.creation(WayHeadroom, PodRate, func(c *Creation) float64 { return c.Within5ms / c.Calls * 100 }).figure()
			},
		},
		capacity(1000), capacity(15000),
	}
}

func engineChecks() []Check {
	var all []Check
	for _, nodes := range []int{1000, 5000} {
		all = append(all, Check{
			Target: "P8", What: fmt.Sprintf("Gatekeeper's decision alone / Headroom's whole request, %s nodes nearly full", grouped(float64(nodes))),
			Unit: "x", Limit: 50, AtLeast: true,
			// They are measured one after the other: medians are divided.
			value: func(r *Results) Figure {
				theirs, ours := r.engine(Gatekeeper, nodes).figure(), r.cpu(headroomOf(nodes, fleet.NearlyFull)).figure()
				if theirs.Rounds == 0 || ours.Rounds == 0 || ours.Median <= 0 {
					return Figure{}
				}
				return Figure{
					Median: theirs.Median / ours.Median, Min: theirs.Min / ours.Max, Max: theirs.Max / ours.Min, Rounds: min(theirs.Rounds, ours.Rounds),
				}
			},
		})
	}
	return all
}

// p99 of a measurement.
func p99(m *load.Measurement) float64 { return m.Latency.P99 }

func p50(m *load.Measurement) float64 { return m.Latency.P50 }
