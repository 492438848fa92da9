// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/headroom-dev/headroom/hack/bench/decision"
	"github.com/headroom-dev/headroom/hack/bench/fleet"
)

// newDecideCommand is the process that decides over one fleet and does nothing else. It has a round for each line that it is told,
// the round's number, so that those of several fleets can take turns.
func newDecideCommand() *cobra.Command {
	f, duration := fleet.Of(100, fleet.Roomy), time.Second
	command := &cobra.Command{
		Use: "decide", Hidden: true, Args: cobra.NoArgs, Short: "Decide over a fleet, and write the figures of each round that is asked for in JSON",
		RunE: func(command *cobra.Command, _ []string) error {
			if err := f.Validate(); err != nil {
				return err
			}
			return decide(decision.New(f), duration, command.InOrStdin(), command.OutOrStdout())
		},
	}
	command.Flags().DurationVar(&duration, "duration", duration, "How long each round takes; 0 measures the ledger alone.")
	addFleetFlags(command, &f)
	return command
}

// decide has a round for each number in a line of in.
func decide(d *decision.Decider, duration time.Duration, in io.Reader, out io.Writer) error {
	fmt.Fprintln(out, "ready")
	encoder := json.NewEncoder(out)
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		round, err := strconv.Atoi(lines.Text())
		if err != nil {
			return fmt.Errorf("the number of a round: %w", err)
		}
		if err := encoder.Encode(d.Round(round, duration)); err != nil {
			return err
		}
	}
	return lines.Err()
}
