// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/headroom-dev/headroom/ledger"
	"github.com/headroom-dev/headroom/placement"
	"github.com/headroom-dev/headroom/policy"
)

func TestFleetIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, p := ledger.New(), policy.Default()
		var broken atomic.Bool
		k := newFleetKeeper(l.Snapshot, func() *policy.Policy {
			if broken.Load() {
				panic("broken")
			}
			return p
		}, prometheus.NewRegistry(), logr.Discard())
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go func() { _ = k.Start(ctx) }()
		of := func(want bool, when string) {
			t.Helper()
			time.Sleep(2 * waitingRarely)
			synctest.Wait()
			if got := k.fleet.Load().Of(l.Snapshot(), p); got != want {
				t.Errorf("%s: the fleet is of the snapshot: %v, want %v", when, got, want)
			}
		}
		of(false, "before the ledger is synced")
		l.MarkSynced()
		of(true, "once it is")
		l.SetNode(ledger.Node{Node: placement.Node{Name: "n1"}, UID: "n1", Images: []ledger.ListedImage{}})
		of(true, "with a node more")
		if behind := k.behind(time.Now()); behind != 0 {
			t.Errorf("%s behind while nothing is new", behind)
		}
		l.SetNode(ledger.Node{Node: placement.Node{Name: "n2"}, UID: "n2", Images: []ledger.ListedImage{}})
		time.Sleep(fleetEvery / 5)
		if behind := k.behind(time.Now()); behind != fleetEvery/5 {
			t.Errorf("%s behind %s after a change", behind, fleetEvery/5)
		}
		of(true, "with two nodes more")
		broken.Store(true)
		of(false, "where it fails")
		if n := testutil.ToFloat64(k.failures); n < 1 {
			t.Errorf("%v failures counted", n)
		}
		broken.Store(false)
		of(true, "when it fails no more")
	})
}
