// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/manager"
)

func TestNobodyWaitsForWhatSleeps(t *testing.T) {
	failed := errors.New("failed")
	const told = 10 * time.Second // when the end is asked for
	cases := map[string]struct {
		start manager.RunnableFunc
		want  error
		after time.Duration
	}{
		"one that sleeps":              {func(context.Context) error { time.Sleep(time.Minute); return failed }, nil, told + patience},
		"one that ends when told":      {func(ctx context.Context) error { <-ctx.Done(); return failed }, failed, told},
		"one that takes a moment":      {func(ctx context.Context) error { <-ctx.Done(); time.Sleep(patience / 2); return failed }, failed, told + patience/2},
		"one that fails while it runs": {func(context.Context) error { time.Sleep(time.Second); return failed }, failed, time.Second},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), told)
				defer cancel()
				start := time.Now()
				if err := (impatient{tc.start}).Start(ctx); !errors.Is(err, tc.want) {
					t.Errorf("error %v, want %v", err, tc.want)
				}
				if took := time.Since(start); took != tc.after {
					t.Errorf("ended after %v, want %v", took, tc.after)
				}
				time.Sleep(time.Minute) // the one that sleeps still does
			})
		})
	}
}
