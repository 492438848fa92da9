// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package result

import (
	"slices"

	"github.com/headroom-dev/headroom/hack/bench/fleet"
	"github.com/headroom-dev/headroom/hack/bench/load"
)

const mebibyte = 1 << 20

// The sizes at which whole services are measured: the largest one, and others for slopes.
const (
	largeNodes, largePods = 15000, 500_000
	smallNodes            = 1000
)

// serviceChecks are about a whole `headroom serve`, but for the slopes of the ledger alone, which are measured quickly enough for
// every change.
func serviceChecks() []Check {
	large := func(target, what, unit string, limit float64, of func(*Served) float64) Check {
		return Check{Target: target, What: what, Unit: unit, Limit: limit, value: func(r *Results) Figure {
			return r.served(largeNodes, largePods, of).figure()
		}}
	}
	all := []Check{
		large("M1", "resident memory, 15,000 nodes x 50 images and 500,000 pods", "MiB", 256, func(s *Served) float64 { return float64(s.Memory.ResidentBytes) / mebibyte }),
		large("M1", "the same at the peak of the first sync", "MiB", 400, func(s *Served) float64 { return float64(s.Memory.PeakBytes) / mebibyte }),
		large("M1", "the same / typed informers on the same data", "x", 1.0/20, func(s *Served) float64 {
			return float64(s.Memory.ResidentBytes) / positive(float64(s.InformersBytes))
		}),
		{
			Target: "M2", What: "the ledger's live heap for 1,000 nodes more (50 images)", Unit: "MiB", Limit: 4, Guard: new(6.0),
			value: func(r *Results) Figure {
				return r.slope(fleet.Spec{Nodes: 5000}, fleet.Spec{Nodes: smallNodes}, 4*mebibyte)
			},
		},
		{
			Target: "M2", What: "the ledger's live heap for one pod more", Unit: "bytes", Limit: 150, Guard: new(220.0),
			value: func(r *Results) Figure {
				return r.slope(fleet.Spec{Nodes: smallNodes, PodsPerNode: 30}, fleet.Spec{Nodes: smallNodes}, 30*smallNodes)
			},
		},
		large("M3", "cores to take in 5,000 pod and 50 node events/s", "", 0.25, func(s *Served) float64 {
			if !s.KeptUp() {
				return missing
			}
			return positive(s.EventsCores)
		}),
		large("M4", "first sync", "s", 20, func(s *Served) float64 { return s.SyncSeconds }),
		large("M4", "CPU of the first sync / decoding the protobuf alone", "x", 1.5, func(s *Served) float64 {
			return s.SyncCPUSeconds / positive(s.DecodeCPUSeconds)
		}),
	}
	return slices.Concat(all, pollingChecks(), freshChecks())
}

// pollingChecks are the bounds in the two situations that there are for most nodes. That of nodes with an interface for each pod is
// on the page, and not judged: the target is about Summaries of 110 pods.
func pollingChecks() []Check {
	var all []Check
	for _, of := range []struct{ situation, what string }{
		{FarFromLines, "all with room, each asked once a minute"}, {NearLines, "all near a line, each asked twice a minute"},
	} {
		check := func(what, unit string, limit float64, value func(*Polled) float64) Check {
			return Check{Target: "M5", What: what, Unit: unit, Limit: limit, value: func(r *Results) Figure {
				return r.polled(of.situation, largeNodes, value).figure()
			}}
		}
		all = append(all,
			check("cores of the whole process that asks 15,000 kubelets, "+of.what, "", 0.5, (*Polled).Cores),
			check("the same, read from them", "MB/s", 10, func(p *Polled) float64 { return p.BytesPerSecond() / 1e6 }),
		)
	}
	return all
}

func freshChecks() []Check {
	var all []Check
	for _, of := range []struct {
		what  string
		shown func(*Served) *Shown
	}{
		{"that a pod is bound shows in a verdict, at 5,000 events/s", func(s *Served) *Shown { return s.BoundPod }},
		{"that a node lists an image shows in a verdict, at 5,000 events/s", func(s *Served) *Shown { return s.ChangedNode }},
	} {
		check := func(what string, limit float64, value func(load.Latency) float64) Check {
			return Check{Target: "F1", What: what, Unit: "ms", Limit: limit, value: func(r *Results) Figure {
				return r.served(largeNodes, largePods, func(s *Served) float64 {
					if shown := of.shown(s); shown != nil && s.KeptUp() {
						return value(shown.Latency) / 1000
					}
					return missing
				}).figure()
			}}
		}
		all = append(all,
			check(of.what+", p50", 50, func(l load.Latency) float64 { return l.P50 }),
			check("the same, p99", 250, func(l load.Latency) float64 { return l.P99 }),
		)
	}
	return all
}

// slope is what the ledger's heap grows by between two fleets, for each of so many units: nodes and pods a node are compared,
// of roomy fleets whose nodes list 50 images.
func (r *Results) slope(more, less fleet.Spec, units float64) Figure {
	if r.Decisions == nil {
		return Figure{}
	}
	heap := func(of fleet.Spec) byRound {
		values := byRound{}
		for i := range r.Decisions.Samples {
			d := &r.Decisions.Samples[i]
			if d.Fleet.Nodes == of.Nodes && d.Fleet.PodsPerNode == of.PodsPerNode && d.Fleet.ImagesPerNode == 50 && d.Fleet.Kind == fleet.Roomy {
				values[d.Round] = float64(d.LedgerBytes)
			}
		}
		return values
	}
	larger, smaller := heap(more), heap(less)
	var slopes []float64
	for round, v := range larger {
		if w, found := smaller[round]; found {
			slopes = append(slopes, (v-w)/units)
		}
	}
	return figureOf(slopes)
}
