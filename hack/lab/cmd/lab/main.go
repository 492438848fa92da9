// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

// Command lab builds, starts and ends a real Kubernetes on this machine, for trying Headroom out. See package lab.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/headroom-dev/headroom/hack/lab"
)

func main() {
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := newCommand().ExecuteContext(ctx)
	cancel()
	if err != nil {
		say(os.Stderr, "lab: %v\n", err)
		os.Exit(1)
	}
}

// newCommand is the whole command line.
func newCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "lab",
		Short:         "A real Kubernetes on this machine: control plane, registry and nodes with small image disks",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.CompletionOptions.DisableDefaultCmd = true
	dir := root.PersistentFlags().String("dir", ".lab", "the lab's folder: kubeconfig, logs, audit log, registry; one lab a folder")
	root.AddCommand(newBuildCommand(), newUpCommand(dir), newDownCommand(dir), newPushCommand(dir), newStatusCommand(dir), newRegistryCommand(),
		newRunCommand(dir), newEndCommand(dir), newPortsCommand())
	return root
}

func newBuildCommand() *cobra.Command {
	var nodes bool
	c := &cobra.Command{
		Use:   "build",
		Short: "Build everything up has to start, and keep it below the user's cache folder",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			bin, err := lab.BuildControlPlane(c.Context(), c.ErrOrStderr())
			if err != nil {
				return err
			}
			say(c.OutOrStdout(), "%s\n", bin)
			if !nodes {
				return nil
			}
			if bin, err = lab.BuildNode(c.Context(), c.ErrOrStderr()); err != nil {
				return err
			}
			say(c.OutOrStdout(), "%s\n", bin)
			return nil
		},
	}
	c.Flags().BoolVar(&nodes, "nodes", true, "build what nodes need, too")
	return c
}

func newDownCommand(dir *string) *cobra.Command {
	return &cobra.Command{
		Use:   "down",
		Short: "End the lab and undo everything it has made on this machine, also after a crash",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			found, err := lab.Down(c.Context(), *dir)
			if err != nil {
				return err
			}
			if !found {
				say(c.OutOrStdout(), "no lab runs in %s\n", *dir)
				return nil
			}
			say(c.OutOrStdout(), "the lab in %s has ended; its logs are still there\n", *dir)
			return nil
		},
	}
}

func newRegistryCommand() *cobra.Command {
	return &cobra.Command{
		Use:    "registry DIR HOST:PORT",
		Short:  "Serve a registry until a signal; up starts this",
		Hidden: true,
		Args:   cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			registry, err := lab.StartRegistry(c.Context(), args[0], args[1])
			if err != nil {
				return err
			}
			<-c.Context().Done()
			return registry.Stop()
		},
	}
}

// say writes to the user. A user who is gone misses it.
func say(w io.Writer, format string, args ...any) {
	_, _ = fmt.Fprintf(w, format, args...)
}
