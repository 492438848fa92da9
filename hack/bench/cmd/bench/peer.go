// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"github.com/spf13/cobra"

	"github.com/headroom-dev/headroom/hack/bench/fleet"
	"github.com/headroom-dev/headroom/hack/bench/peer"
)

// newPeerCommand is one of the processes that are measured: this program starts itself so.
func newPeerCommand() *cobra.Command {
	o := peer.Options{Fleet: fleet.Of(100, fleet.Roomy)}
	command := &cobra.Command{
		Use: "peer NAME", Hidden: true, Args: cobra.ExactArgs(1), Short: "Serve one webhook until SIGTERM",
		RunE: func(command *cobra.Command, args []string) error {
			o.Name = args[0]
			return peer.Run(command.Context(), o, command.OutOrStdout())
		},
	}
	addFleetFlags(command, &o.Fleet)
	return command
}

func addFleetFlags(command *cobra.Command, f *fleet.Spec) {
	flags := command.Flags()
	flags.IntVar(&f.Nodes, "nodes", f.Nodes, "Nodes of the fleet.")
	flags.StringVar(&f.Kind, "fleet", f.Kind, "What the fleet is like: roomy, nearly-full or burst.")
	flags.IntVar(&f.ImagesPerNode, "images-per-node", f.ImagesPerNode, "Images that each node lists.")
	flags.IntVar(&f.PodsPerNode, "pods-per-node", f.PodsPerNode, "Pods that run on each node.")
	flags.IntVar(&f.WaitingPods, "waiting-pods", f.WaitingPods, "Pods that wait for a node.")
}
