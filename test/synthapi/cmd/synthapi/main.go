// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

// Command synthapi serves a generated fleet of nodes and pods as an API server does, until it is interrupted. See package
// synthapi.
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
		fmt.Fprintln(os.Stderr, "synthapi:", err)
		stop()
		os.Exit(1) //nolint:gocritic // stop was called
	}
}
