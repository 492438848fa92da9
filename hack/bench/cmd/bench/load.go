// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/headroom-dev/headroom/hack/bench/load"
)

// newLoadCommand is the load generator's process: it shares no heap and no scheduler with what writes down the results.
func newLoadCommand() *cobra.Command {
	return &cobra.Command{
		Use: "load PLAN", Hidden: true, Args: cobra.ExactArgs(1), Short: "Carry out one plan, given in JSON, and write the measurement in JSON",
		RunE: func(command *cobra.Command, args []string) error {
			var plan load.Plan
			if err := json.Unmarshal([]byte(args[0]), &plan); err != nil {
				return fmt.Errorf("the plan: %w", err)
			}
			measurement, err := load.Run(command.Context(), plan)
			if err != nil {
				return err
			}
			line, err := json.Marshal(measurement)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(command.OutOrStdout(), string(line))
			return err
		},
	}
}
