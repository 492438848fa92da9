// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package measure

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/headroom-dev/headroom/hack/bench/fleet"
	"github.com/headroom-dev/headroom/hack/bench/process"
	"github.com/headroom-dev/headroom/hack/bench/result"
)

// DecisionOptions say what to decide about.
type DecisionOptions struct {
	Part

	// Fleets are decided over. Ledgers are made and weighed, which is all that is of interest of them.
	Fleets, Ledgers []fleet.Spec
	// Duration is of one turn.
	Duration time.Duration
}

// Decisions measures fit.Evaluate alone, and ledgers. Each fleet has a process of its own, in which nothing else takes memory;
// they take turns. A ledger is made anew in each round.
func Decisions(ctx context.Context, o DecisionOptions) (_ *result.Decisions, err error) {
	r := &result.Decisions{Run: o.begin()}
	var deciders []*process.Child
	defer func() {
		for _, child := range deciders {
			child.Stop()
		}
	}()
	for _, f := range o.Fleets {
		o.say("making %d nodes %s x %d images, %d pods a node", f.Nodes, f.Kind, f.ImagesPerNode, f.PodsPerNode)
		child, err := decider(ctx, f, o.Duration)
		if err != nil {
			return nil, err
		}
		deciders = append(deciders, child)
	}
	err = o.turns(len(o.Fleets)+len(o.Ledgers), func(round, i int) error {
		if i >= len(deciders) {
			child, err := decider(ctx, o.Ledgers[i-len(deciders)], 0)
			if err != nil {
				return err
			}
			defer child.Stop()
			return decideNow(child, round, r)
		}
		return decideNow(deciders[i], round, r)
	})
	r.LoadAfter = process.LoadAverage()
	return r, err
}

// decider starts a process that decides over a fleet for so long in each round, and returns once the fleet is made.
func decider(ctx context.Context, f fleet.Spec, duration time.Duration) (*process.Child, error) {
	self, err := process.Self()
	if err != nil {
		return nil, err
	}
	args := append([]string{"decide", fmt.Sprint("--duration=", duration)}, fleetFlags(f)...)
	child, err := process.Start(ctx, process.Command{Path: self, Args: args, Cores: serverCores()})
	if err != nil {
		return nil, err
	}
	_, err = child.ReadLine() // it says that it is ready
	return child, err
}

// decideNow has a process decide for a round, and adds that to the results.
func decideNow(child *process.Child, round int, r *result.Decisions) error {
	if err := child.Say(strconv.Itoa(round)); err != nil {
		return err
	}
	var d result.Decision
	if err := child.ReadJSON(&d); err != nil {
		return err
	}
	r.Samples = append(r.Samples, d)
	return nil
}
