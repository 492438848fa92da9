// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"time"

	"github.com/headroom-dev/headroom/ledger"
)

// aheadEvery is how often it is looked for nodes that have changed.
const aheadEvery = time.Second

// Ahead works out what a request would ask of nodes that have changed, such as which
// layers they have, so that no request has to.
type Ahead struct {
	// Snapshot returns the ledger's newest.
	Snapshot func() *ledger.Snapshot
}

// Start works until ctx ends.
func (a Ahead) Start(ctx context.Context) error {
	ticker := time.NewTicker(aheadEvery)
	defer ticker.Stop()
	var last *ledger.Snapshot
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			if s := a.Snapshot(); s != last {
				s.Prepare()
				last = s
			}
		}
	}
}
