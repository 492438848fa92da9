// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

// Command baseline reads all nodes and pods of an API server in a way that others do, and prints what that took as JSON: what
// `headroom serve` is compared with.
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
		fmt.Fprintln(os.Stderr, "baseline:", err)
		stop()
		os.Exit(1) //nolint:gocritic // stop was called
	}
}
