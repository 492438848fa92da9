// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/headroom-dev/headroom/hack/lab"
)

func newStatusCommand(dir *string) *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Say what of the lab runs",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cp, err := lab.Open(*dir)
			if err != nil {
				return err
			}
			return printStatus(c.OutOrStdout(), cp.State())
		},
	}
}

// printStatus prints a table of the lab's processes.
func printStatus(w io.Writer, s lab.State) error {
	say(w, "folder    %s\nserver    %s\nregistry  %s, on nodes %s\n\n", s.Dir, s.Host, s.RegistryAddress, lab.RegistryHost)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	say(table, "WHERE\tPROCESS\tPID\tSTATE\n")
	row := func(where string, p lab.Process) {
		state := "runs"
		if !p.Alive() {
			state = "has ended"
		}
		say(table, "%s\t%s\t%d\t%s\n", where, p.Name, p.PID, state)
	}
	for _, p := range s.Processes {
		row("control plane", p)
	}
	for _, n := range s.Nodes {
		for _, p := range n.Processes {
			row(n.Name+" "+n.InternalIP, p)
		}
	}
	return table.Flush()
}
