// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/manager"
)

// everyReplica keeps the manager from waiting for leadership, which is its default.
// Every replica feeds a ledger of its own; of Events, equal names keep replicas from
// repeating each other.
type everyReplica struct{ manager.Runnable }

func (everyReplica) NeedLeaderElection() bool { return false }

// patience is how long an impatient runnable may take to end.
const patience = time.Second

// impatient is a runnable whose end nobody waits for any longer than patience.
// An informer whose API server refuses connections sleeps for up to a minute
// between two lists, and client-go has no way to wake it (Reflector.watchList):
// SIGTERM would end in a timeout, and with an error.
type impatient struct{ manager.Runnable }

// Start implements [manager.Runnable].
func (r impatient) Start(ctx context.Context) error {
	ended := make(chan error, 1)
	go func() { ended <- r.Runnable.Start(ctx) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case err := <-ended:
		return err
	case <-timer.C:
		return nil
	}
}
