// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

// Command bench measures what Headroom costs, beside its peers, and writes docs/performance.md. Run it from hack/bench.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

func main() {
	os.Exit(run())
}

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	root := &cobra.Command{
		Use: "bench", Short: "Measure what Headroom costs, beside its peers",
		SilenceErrors: true, SilenceUsage: true,
	}
	root.AddCommand(newRunCommand(), newQuickCommand(), newRenderCommand(), newPeerCommand(), newLoadCommand(), newDecideCommand(), newKubeletsCommand())
	if err := root.ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		return 1
	}
	return 0
}
