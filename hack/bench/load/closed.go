// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package load

import (
	"context"
	"sync"
	"time"
)

// closed lets callers ask, each again as soon as it was answered, for d. The latencies it returns are no statement about a server
// under a given load: see schedule.
func (c *client) closed(ctx context.Context, callers int, d time.Duration) *tally {
	t := &tally{}
	until := time.Now().Add(d)
	var wait sync.WaitGroup
	for range callers {
		wait.Go(func() {
			for {
				began := time.Now()
				if !began.Before(until) || ctx.Err() != nil {
					return
				}
				err := c.ask(ctx)
				t.add(time.Since(began), err)
			}
		})
	}
	wait.Wait()
	return t
}
