// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"context"
	"hash/maphash"
)

// turnLanes is how many bindings may be judged at a time, far more than there are processors, so that two nodes seldom share a
// lane.
const turnLanes = 256

// turns has bindings to one node judged one after the other, so that each knows of those before it. Those to different nodes
// seldom wait for each other.
type turns struct {
	seed  maphash.Seed
	lanes [turnLanes]chan struct{}
}

func newTurns() *turns {
	t := &turns{seed: maphash.MakeSeed()}
	for i := range t.lanes {
		t.lanes[i] = make(chan struct{}, 1)
	}
	return t
}

// take waits for the node's turn and returns what ends it, or reports false when ctx is done first.
func (t *turns) take(ctx context.Context, node string) (end func(), taken bool) {
	lane := t.lanes[maphash.String(t.seed, node)%turnLanes]
	select {
	case lane <- struct{}{}:
		return func() { <-lane }, true
	case <-ctx.Done():
		return nil, false
	}
}
