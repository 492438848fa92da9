// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/headroom-dev/headroom/placement"
)

// taintSweep is how often it is looked for taints that should be gone.
const taintSweep = 5 * time.Second

// Sweep takes away taints that are too old, whoever has put them there and when, until ctx ends: also those that a Headroom
// has left behind that was killed. Where the policy in force steers nowhere, it takes away all.
func (t *NodeTaints) Sweep(ctx context.Context) {
	tick := time.NewTicker(taintSweep)
	defer tick.Stop()
	for {
		t.sweep(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (t *NodeTaints) sweep(ctx context.Context) {
	why := "it is old"
	expired := func(since time.Time) bool { return isOld(since, t.options.Now()) }
	if !t.options.Policy().SteersSomewhere() {
		why, expired = "the policy does not steer", func(time.Time) bool { return true }
	}
	t.remove(ctx, why, expired)
}

// RemoveAll takes away all taints that are known: nobody may be left to do so later.
func (t *NodeTaints) RemoveAll(ctx context.Context) {
	t.remove(ctx, "Headroom ends", func(time.Time) bool { return true })
}

// remove takes away those taints that were put on their nodes at a time for which gone is true.
func (t *NodeTaints) remove(ctx context.Context, why string, gone func(since time.Time) bool) {
	for _, name := range t.withTaint(gone) {
		if ctx.Err() != nil {
			return
		}
		changed := t.edit(ctx, name, func(taints []corev1.Taint) []corev1.Taint {
			if since, found := placement.SoftTaintSince(taints); !found || !gone(since) {
				return taints
			}
			return without(taints)
		})
		if changed {
			t.options.Metrics.taint(taintRemoved)
			t.options.Log.Info("Soft taint taken from a node", "node", name, "taint", placement.ImageStorageTaint, "because", why)
		}
	}
}

func (t *NodeTaints) withTaint(gone func(since time.Time) bool) (names []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for name, node := range t.nodes {
		if since, found := placement.SoftTaintSince(node.taints); found && gone(since) {
			names = append(names, name)
		}
	}
	return names
}
