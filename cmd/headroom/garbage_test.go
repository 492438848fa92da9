// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"runtime/debug"
	"testing"
)

func TestGarbageWhileTheFirstListsCome(t *testing.T) {
	g := garbage{percent: 40}
	for held, want := range map[uint64]int{0: 400, 4 << 20: 400, 64 << 20: 400, 160 << 20: 100, 200 << 20: 60, 300 << 20: 40, 1 << 40: 40} {
		if got := g.during(held); got != want {
			t.Errorf("with %d MiB held: %d%%, want %d%%", held>>20, got, want)
		}
	}
}

func TestTheEnvironmentWinsOverGCPercent(t *testing.T) {
	t.Setenv("GOGC", "70") // which also puts back what it was
	before := debug.SetGCPercent(70)
	defer debug.SetGCPercent(before)
	asked := 0
	g := garbage{percent: 35, synced: func() bool { asked++; return asked > 2 }}
	if err := g.Start(t.Context()); err != nil || debug.SetGCPercent(70) != 70 {
		t.Errorf("the flag won over the environment (%v)", err)
	}
	if err := os.Unsetenv("GOGC"); err != nil {
		t.Fatal(err)
	}
	if err := g.Start(t.Context()); err != nil || debug.SetGCPercent(70) != 35 || asked != 3 {
		t.Errorf("the flag says nothing after the first lists (%v)", err)
	}
}
