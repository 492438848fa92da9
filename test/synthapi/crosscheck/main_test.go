// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

// Package crosscheck holds the synthetic API server against the real one: what is measured with the one is worth nothing
// unless `headroom serve` does with both the same.
//
// It needs no root. It takes the programs of hack/lab, up to a minute, and 1 GB of memory.
package crosscheck

import (
	"flag"
	"fmt"
	"os"
	"testing"
)

func TestMain(m *testing.M) {
	flag.Parse()
	if testing.Short() {
		fmt.Println("crosscheck: skipped: it starts a real control plane; not with -short")
		return
	}
	os.Exit(m.Run())
}
