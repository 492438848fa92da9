// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

// Command headroom tells a Kubernetes cluster, before a pod starts, whether its
// images still fit on the nodes. `headroom serve` answers admission reviews;
// `headroom nodes` and `headroom check` ask the same questions once.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

// version is set by the linker.
var version = "unknown"

func main() {
	os.Exit(run())
}

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := newRootCommand().ExecuteContext(ctx)
	code := exitCode(err)
	if err != nil && !isSilent(err) {
		fmt.Fprintln(os.Stderr, "error:", err)
	}
	return code
}
