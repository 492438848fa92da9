// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

// Command headroom tells a Kubernetes cluster, before a pod starts, whether its
// images still fit on the nodes. `headroom serve` answers admission reviews;
// `headroom nodes` and `headroom check` ask the same questions once.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
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
		printError(os.Stderr, err)
	}
	return code
}

// printError writes one line for each mistake.
func printError(w io.Writer, err error) {
	for line := range strings.Lines(err.Error()) {
		fmt.Fprintln(w, "error:", strings.TrimSpace(line))
	}
}
