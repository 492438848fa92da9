// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"time"

	"github.com/spf13/cobra"

	"github.com/headroom-dev/headroom/hack/bench/decision"
	"github.com/headroom-dev/headroom/hack/bench/fleet"
)

// newDecideCommand is the process that decides over one fleet and does nothing else.
func newDecideCommand() *cobra.Command {
	f, rounds, duration := fleet.Of(100, fleet.Roomy), 1, time.Second
	command := &cobra.Command{
		Use: "decide", Hidden: true, Args: cobra.NoArgs, Short: "Decide over a fleet, and write each round's figures in JSON",
		RunE: func(command *cobra.Command, _ []string) error {
			if err := f.Validate(); err != nil {
				return err
			}
			encoder := json.NewEncoder(command.OutOrStdout())
			d := decision.New(f)
			for round := range rounds {
				if err := encoder.Encode(d.Round(round, duration)); err != nil {
					return err
				}
			}
			return nil
		},
	}
	command.Flags().IntVar(&rounds, "rounds", rounds, "How many rounds.")
	command.Flags().DurationVar(&duration, "duration", duration, "How long each takes; 0 measures the ledger alone.")
	addFleetFlags(command, &f)
	return command
}
