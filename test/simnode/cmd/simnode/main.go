// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

// Command simnode runs simulated nodes against the API server of a kubeconfig
// until it is interrupted. See package simnode for what they do.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := command().ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "simnode:", err)
		stop()
		os.Exit(1) //nolint:gocritic // stop was called
	}
}
