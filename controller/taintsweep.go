// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/headroom-dev/headroom/placement"
)

const (
	// taintSweep is how often it is looked for taints that should be gone.
	taintSweep = 5 * time.Second
	// takeBackTimeout is for what a replica does at its end.
	takeBackTimeout = 5 * time.Second
)

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
	gone := func(n *nodeTaints) bool { return n.soft.expired(t.options.Now()) }
	if !t.options.Policy().SteersSomewhere() {
		why, gone = "the policy does not steer", func(n *nodeTaints) bool { return n.soft.found }
	}
	for _, name := range t.those(gone) {
		t.failed(ctx, name, t.remove(ctx, name, taintAttempts, why, gone))
	}
}

// TakeBack waits until ctx ends, and then takes away the taints that this replica has put on nodes: nobody may be left to do so
// later. What another replica has put there, or renewed, stays: its own bindings were sent back.
func (t *NodeTaints) TakeBack(ctx context.Context) error {
	<-ctx.Done()
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), takeBackTimeout)
	defer cancel()
	select {
	case <-t.ended:
	case <-ending.Done():
	}
	own := func(n *nodeTaints) bool { return n.soft.found && n.soft.since.Equal(n.wrote) }
	for _, name := range t.those(own) {
		// The informer tells nothing any more: where the taints are others than those it told last, they are left alone, and what
		// fails is left to whoever leads.
		_ = t.remove(ending, name, 1, "the replica that put it ends", own)
	}
	return nil
}

// those returns the nodes for which f is true, but for those that have to wait after a failure.
func (t *NodeTaints) those(f func(*nodeTaints) bool) (names []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for name, node := range t.nodes {
		if f(node) && !t.options.Now().Before(node.again) {
			names = append(names, name)
		}
	}
	return names
}

// remove takes the taint from a node while gone is true for it.
func (t *NodeTaints) remove(ctx context.Context, name string, attempts int, why string, gone func(*nodeTaints) bool) error {
	changed, err := t.edit(ctx, name, attempts, func(n *nodeTaints) []corev1.Taint {
		if !gone(n) {
			return n.taints
		}
		return without(n.taints)
	})
	if changed {
		t.options.Metrics.taint(taintRemoved)
		t.options.Log.Info("Soft taint taken from a node", "node", name, "taint", placement.ImageStorageTaint, "because", why)
	}
	return err
}
