// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/headroom-dev/headroom/hack/bench/fleet"
	"github.com/headroom-dev/headroom/hack/bench/measure"
	"github.com/headroom-dev/headroom/hack/bench/peer"
	"github.com/headroom-dev/headroom/hack/bench/result"
)

// What `make bench-quick` does in three minutes.
const (
	quickRounds = 5
	quickTurn   = time.Second
)

// newQuickCommand guards what is guarded, see result.Checks.
func newQuickCommand() *cobra.Command {
	return &cobra.Command{
		Use: "quick", Args: cobra.NoArgs, Short: "Measure what is guarded, in about three minutes, and fail on what can't be noise",
		RunE: func(command *cobra.Command, _ []string) (err error) {
			dir, err := os.MkdirTemp("", "headroom-bench-")
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
			part := measure.Part{Rounds: quickRounds, Out: os.Stderr, Dir: dir}
			results := &result.Results{}
			if results.Requests, err = measure.Requests(command.Context(), quickRequests(part)); err != nil {
				return err
			}
			if results.Decisions, err = measure.Decisions(command.Context(), quickDecisions(part)); err != nil {
				return err
			}
			return report(command.OutOrStdout(), results)
		},
	}
}

// report prints the table, and is an error where a guard was crossed.
func report(out io.Writer, results *result.Results) error {
	fmt.Fprint(out, result.Table(results))
	var crossed []error
	for _, j := range result.Regressions(results) {
		crossed = append(crossed, fmt.Errorf("%s: %s: %s, and no round within %s: this is no noise", j.Target, j.What, j.Measured(), j.GuardBound()))
	}
	return errors.Join(crossed...)
}

// lean has few pods a node: what decisions cost is in the nodes, and making them takes time.
func lean(nodes int, kind string) fleet.Spec {
	f := fleet.Of(nodes, kind)
	f.PodsPerNode = 3
	return f
}

func quickRequests(part measure.Part) measure.RequestOptions {
	return measure.RequestOptions{
		Part: part, Duration: quickTurn, Peers: []string{peer.ControllerRuntime, peer.SameDecoding},
		Fleets: []fleet.Spec{
			lean(100, fleet.Roomy), lean(1000, fleet.Roomy), lean(5000, fleet.Roomy), lean(15000, fleet.Roomy),
			lean(1000, fleet.NearlyFull), lean(15000, fleet.NearlyFull),
		},
	}
}

func quickDecisions(part measure.Part) measure.DecisionOptions {
	return measure.DecisionOptions{
		Part: part, Duration: quickTurn, Fleets: []fleet.Spec{lean(15000, fleet.Roomy), lean(15000, fleet.NearlyFull)},
		Ledgers: []fleet.Spec{bare(1000, 0), bare(5000, 0), bare(1000, 30)},
	}
}
