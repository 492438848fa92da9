// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/headroom-dev/headroom/hack/lab"
)

func newRunCommand(dir *string) *cobra.Command {
	var program lab.Attached
	c := &cobra.Command{
		Use:     "run --name NAME -- COMMAND [ARG...]",
		Short:   "Start a program beside the lab; it ends with the lab, or by lab end",
		Example: "  lab run --name headroom --ready-url http://127.0.0.1:8081/readyz -- bin/headroom serve --health-address 127.0.0.1:8081",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			cp, err := lab.Open(*dir)
			if err != nil {
				return err
			}
			program.Command = args
			return cp.Run(c.Context(), program)
		},
	}
	c.Flags().StringVar(&program.Name, "name", "", "what to call it; its output goes to logs/NAME.log (required)")
	c.Flags().StringVar(&program.ReadyURL, "ready-url", "", "wait until this URL answers 200")
	c.Flags().StringVar(&program.ReadyText, "ready-text", "", "wait until its output holds this")
	c.Flags().DurationVar(&program.Timeout, "timeout", time.Minute, "longest wait for it to be ready")
	if err := c.MarkFlagRequired("name"); err != nil {
		panic(err) // the flag is defined above
	}
	return c
}

func newEndCommand(dir *string) *cobra.Command {
	return &cobra.Command{
		Use:   "end NAME",
		Short: "End a program that lab run has started, and wait until it is gone",
		Args:  cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			cp, err := lab.Open(*dir)
			if err != nil {
				return err
			}
			return cp.End(args[0])
		},
	}
}

func newPortsCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "ports N",
		Short: "Print N free ports of the loopback interface",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			n, err := strconv.Atoi(args[0])
			if err != nil || n < 1 || n > 100 {
				return fmt.Errorf("%q is not a number from 1 to 100", args[0])
			}
			ports, err := lab.FreePorts(n)
			if err != nil {
				return err
			}
			for _, port := range ports {
				say(c.OutOrStdout(), "%s\n", port)
			}
			return nil
		},
	}
}
