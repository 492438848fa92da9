// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package measure

import (
	"context"
	"fmt"
	"time"

	"github.com/headroom-dev/headroom/hack/bench/fleet"
	"github.com/headroom-dev/headroom/hack/bench/process"
	"github.com/headroom-dev/headroom/hack/bench/result"
)

// DecisionOptions say what to decide about.
type DecisionOptions struct {
	Part

	Fleets []fleet.Spec
	// Duration is of one turn.
	Duration time.Duration
}

// Decisions measures fit.Evaluate alone. Each fleet has a process of its own, in which nothing else takes
// memory. Its figures are no ratios, so that nothing needs to take turns.
func Decisions(ctx context.Context, o DecisionOptions) (_ *result.Decisions, err error) {
	self, err := process.Self()
	if err != nil {
		return nil, err
	}
	r := &result.Decisions{Run: o.begin(ctx)}
	for i := range o.Fleets {
		f := o.Fleets[i]
		o.say("deciding over %d nodes %s x %d images, %d pods a node", f.Nodes, f.Kind, f.ImagesPerNode, f.PodsPerNode)
		args := append([]string{"decide", fmt.Sprint("--rounds=", o.Rounds), fmt.Sprint("--duration=", o.Duration)}, fleetFlags(f)...)
		child, err := process.Start(ctx, process.Command{Path: self, Args: args, Cores: serverCores()})
		if err != nil {
			return nil, err
		}
		for range o.Rounds {
			var d result.Decision
			if err := child.ReadJSON(&d); err != nil {
				return nil, err
			}
			r.Samples = append(r.Samples, d)
		}
		if err := child.Wait(); err != nil {
			return nil, err
		}
	}
	r.LoadAfter = process.LoadAverage()
	return r, nil
}
