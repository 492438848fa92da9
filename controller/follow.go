// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// follower is an informer that one thing is read from.
type follower struct {
	// what is not read yet, for an error: "the policy".
	what string
	run  func(ctx context.Context)
	// applied is closed when the first list has been handled; synced is called then.
	applied <-chan struct{}
	synced  func()
	// timeout bounds the wait for it.
	timeout time.Duration
	watch   *watchState
}

// follow watches until ctx ends. It returns an error only where the first list doesn't come within the timeout; the error
// says why.
func (f *follower) follow(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() { f.run(ctx) })
	defer running.Wait()
	defer stop()

	timeout := time.NewTimer(f.timeout)
	defer timeout.Stop()
	select {
	case <-ctx.Done():
		return nil
	case <-timeout.C:
		err := fmt.Errorf("%s could not be read within %v", f.what, f.timeout)
		if reason := f.watch.problem(); reason != "" {
			err = fmt.Errorf("%w: %w", err, errors.New(reason))
		}
		return err
	case <-f.applied:
	}
	f.synced()
	<-ctx.Done()
	return nil
}
