// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/headroom-dev/headroom/test/synthapi"
)

// flags are the command's flags.
type flags struct {
	options    synthapi.Options
	churn      synthapi.Churn
	faults     synthapi.Faults
	kubeconfig string
}

func command() *cobra.Command {
	var f flags
	c := &cobra.Command{
		Use:   "synthapi",
		Short: "Serve a generated fleet as an API server does",
		Long: `Serve a generated fleet of nodes and pods as an API server does, until interrupted.

It writes a kubeconfig and says when it is ready. Everything that can be changed
while it runs is below /synthapi/: see the documentation of the package.`,
		Example:       "  synthapi --nodes 15000 --pods 500000 --kubeconfig /tmp/synthapi.kubeconfig --pod-events 5000 --node-updates 1500",
		Args:          cobra.NoArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE:          func(c *cobra.Command, _ []string) error { return f.run(c) },
	}
	flags := c.Flags()
	fleet := &f.options.Fleet
	flags.StringVar(&f.kubeconfig, "kubeconfig", "", "file to write a kubeconfig to (required)")
	flags.StringVar(&f.options.Address, "address", "", "address to listen on (default: a free port of 127.0.0.1)")
	flags.IntVar(&fleet.Nodes, "nodes", 1000, "number of nodes")
	flags.IntVar(&fleet.Pods, "pods", 33_000, "number of pods")
	flags.IntVar(&fleet.ImagesPerNode, "images", 50, "images that a node lists")
	flags.IntVar(&fleet.Templates, "templates", 400, "workloads that the pods are of")
	flags.IntVar(&fleet.Namespaces, "namespaces", 40, "namespaces that these are in")
	flags.Int32Var(&fleet.KubeletPort, "kubelet-port", 10250, "port of the kubelets, which are on 127.100.100.100 and up")
	flags.Uint64Var(&fleet.Seed, "seed", 0, "makes one fleet differ from another")
	flags.IntVar(&f.options.History, "history", 0, "changes of each resource that are remembered (default 400000)")
	flags.DurationVar(&f.options.BookmarkInterval, "bookmark-interval", 0, "time between a watch's bookmarks (default 1m)")
	flags.Float64Var(&f.churn.PodEventsPerSecond, "pod-events", 0, "events of pods a second")
	flags.Float64Var(&f.churn.NodeUpdatesPerSecond, "node-updates", 0, "updates of nodes a second")
	flags.IntVar(&f.churn.ListEvery, "list-every", 10, "one of how many updates of nodes changes the images; the others are heartbeats")
	flags.IntVar(&f.faults.CloseEvery, "close-every", 0, "mean of events after which a watch of nodes or pods ends")
	flags.IntVar(&f.faults.BreakEvery, "break-every", 0, "mean of events after which it breaks in the middle of one")
	flags.IntVar(&f.faults.ExpireEvery, "expire-every", 0, "mean of events after which it is told 410 Gone")
	flags.IntVar(&f.faults.BreakListEvery, "break-list-every", 0, "one of how many lists breaks in the middle")
	flags.IntVar(&f.faults.RepeatEvery, "repeat-every", 0, "one of how many events comes twice")
	flags.IntVar(&f.faults.Reorder, "reorder", 0, "events of different objects that change places")
	flags.IntVar(&f.faults.BytesPerSecond, "bytes-per-second", 0, "bound of each watch")
	if err := c.MarkFlagRequired("kubeconfig"); err != nil {
		panic(err) // it is a flag
	}
	return c
}

func (f *flags) run(c *cobra.Command) error {
	s, err := synthapi.Start(f.options)
	if err != nil {
		return err
	}
	defer s.Stop()
	s.SetFaults(synthapi.Nodes, f.faults)
	s.SetFaults(synthapi.Pods, f.faults)
	if err := s.WriteKubeconfig(f.kubeconfig); err != nil {
		return err
	}
	if f.churn.PodEventsPerSecond > 0 || f.churn.NodeUpdatesPerSecond > 0 {
		s.SetChurn(f.churn)
	}
	ready(c.OutOrStdout(), s, f)
	<-c.Context().Done()
	return nil
}

func ready(out io.Writer, s *synthapi.Server, f *flags) {
	fmt.Fprintf(out, "%d nodes and %d pods at %s\nexport KUBECONFIG=%s\n", f.options.Fleet.Nodes, f.options.Fleet.Pods, s.URL, f.kubeconfig)
}
