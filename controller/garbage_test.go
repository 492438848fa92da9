// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"os"
	"runtime/debug"
	"testing"
	"testing/synctest"
)

func TestGarbageByWhatIsHeld(t *testing.T) {
	g := Garbage{Percent: DefaultGarbagePercent}
	for held, want := range map[uint64]struct{ during, after int }{
		0: {400, 400}, 4 << 20: {400, 400}, 16 << 20: {400, 400}, 32 << 20: {400, 200}, 64 << 20: {300, 100}, 96 << 20: {166, 100}, 128 << 20: {100, 62}, 160 << 20: {60, 40}, 200 << 20: {40, 40}, 300 << 20: {40, 40}, 1 << 40: {40, 40},
	} {
		if during, after := g.during(held), g.after(held); during != want.during || after != want.after {
			t.Errorf("with %d MiB held: %d%% while the first lists come and %d%% afterwards, want %v", held>>20, during, after, want)
		}
	}
}

func TestTheEnvironmentWinsOverGCPercent(t *testing.T) {
	t.Setenv("GOGC", "70") // which also puts back what it was
	before := debug.SetGCPercent(70)
	defer debug.SetGCPercent(before)
	run := func() (asked int, err error) {
		synctest.Test(t, func(t *testing.T) {
			ctx, end := context.WithCancel(t.Context())
			defer end()
			err = Garbage{Percent: 3500, Synced: func() bool {
				if asked++; asked > 3 {
					end()
				}
				return asked > 2
			}}.Start(ctx)
		})
		return asked, err
	}
	if _, err := run(); err != nil || debug.SetGCPercent(70) != 70 {
		t.Errorf("the flag won over the environment (%v)", err)
	}
	if err := os.Unsetenv("GOGC"); err != nil {
		t.Fatal(err)
	}
	if asked, err := run(); err != nil || debug.SetGCPercent(70) != 3500 || asked < 4 {
		t.Errorf("the flag says nothing after the first lists (%v)", err)
	}
}
