// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/headroom-dev/headroom/ledger"
	"github.com/headroom-dev/headroom/placement"
)

func TestChangesArePublishedInBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := ledger.New()
		p := NewPublisher(l)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- p.Start(ctx) }()
		l.MarkSynced()
		set := func(name string) { l.SetNode(ledger.Node{Node: placement.Node{Name: name}}) }

		set("a")
		synctest.Wait()
		if n := l.Snapshot().Len(); n != 1 {
			t.Fatalf("%d nodes are seen right after the first came, want it", n)
		}
		seen := map[*ledger.Snapshot]bool{}
		for _, name := range []string{"b", "c", "d", "e"} {
			set(name)
			time.Sleep(publishEvery / 5)
			seen[l.Snapshot()] = true
		}
		if len(seen) != 1 {
			t.Errorf("%d snapshots within one interval, want one", len(seen))
		}
		time.Sleep(publishEvery)
		if n := l.Snapshot().Len(); n != 5 {
			t.Errorf("%d nodes are seen after the interval, want all 5", n)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}
