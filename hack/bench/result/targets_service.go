// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package result

import "github.com/headroom-dev/headroom/hack/bench/fleet"

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
	return []Check{
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
			return positive(s.EventsCores)
		}),
		large("M4", "first sync", "s", 20, func(s *Served) float64 { return s.SyncSeconds }),
		large("M4", "CPU of the first sync / decoding the protobuf alone", "x", 1.5, func(s *Served) float64 {
			return s.SyncCPUSeconds / positive(s.DecodeCPUSeconds)
		}),
		{Target: "M5", What: "cores to poll 15,000 kubelets", Limit: 0.5, value: func(*Results) Figure { return Figure{} }},
		{Target: "F1", What: "an event shows in a verdict, p99", Unit: "ms", Limit: 250, value: func(*Results) Figure { return Figure{} }},
	}
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
