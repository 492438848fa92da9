// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"os"
	"slices"

	"github.com/headroom-dev/headroom/hack/bench/measure"
	"github.com/headroom-dev/headroom/hack/bench/result"
)

// parts are measured in this order.
var parts = []string{"requests", "decisions", "engines", "apiserver", "service", "polling"}

// freshSamples is of how many events of a kind it is measured, in a turn, when they show.
const freshSamples = 100

// measurePart measures one part, and replaces it in the results where nothing fails.
func (o *runOptions) measurePart(ctx context.Context, name string, part measure.Part, results *result.Results) error {
	fmt.Fprintf(os.Stderr, "== %s (%d of %d)\n", name, slices.Index(parts, name)+1, len(parts))
	switch name {
	case "requests":
		return replace(&results.Requests)(measure.Requests(ctx, fullRequests(part, o.turn, o.most)))
	case "decisions":
		return replace(&results.Decisions)(measure.Decisions(ctx, fullDecisions(part, o.turn, o.most)))
	case "engines":
		return replace(&results.Engines)(measure.Engines(ctx, measure.EngineOptions{Part: part, Nodes: upTo(o.most, 1000, 5000)}))
	case "apiserver":
		return replace(&results.APIServer)(measure.APIServer(ctx, measure.APIServerOptions{
			Part: part, Nodes: min(1000, o.most), Rates: []float64{result.PodRate, result.PodRate / 4}, Duration: 3 * o.turn,
		}))
	case "service":
		return replace(&results.Service)(measure.Service(ctx, measure.ServiceOptions{
			Part: part, Sizes: sizes(o.most), Duration: 3 * o.turn, FreshSamples: freshSamples, Informers: true,
		}))
	default:
		return replace(&results.Polling)(measure.Polling(ctx, measure.PollingOptions{Part: part, Kubelets: o.most, Duration: 5 * o.turn}))
	}
}

// replace puts what was measured in the place of what was there, unless measuring it failed.
func replace[T any](into **T) func(*T, error) error {
	return func(measured *T, err error) error {
		if err == nil {
			*into = measured
		}
		return err
	}
}
