// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/headroom-dev/headroom/fit"
	"github.com/headroom-dev/headroom/ledger"
	"github.com/headroom-dev/headroom/policy"
)

const (
	// fleetEvery is how long after a change of the ledger it is in the fleet at the latest, where there is time for it.
	fleetEvery = 25 * time.Millisecond
	// fleetShare is the share of a processor that keeping the fleet may take: one part in so many.
	fleetShare = 10
	// fleetRarely is how long after a change it is there at the latest, be there time or not; so long it is waited after a failure.
	fleetRarely = 500 * time.Millisecond
)

// fleetKeeper keeps what all requests ask of the nodes: worked out off their path, of all that has changed since the last time.
type fleetKeeper struct {
	snapshot func() *ledger.Snapshot
	policy   func() *policy.Policy

	log logr.Logger

	fleet atomic.Pointer[fit.Fleet]
	// current is when the fleet was last known to show all of the ledger, in nanoseconds since 1970.
	current  atomic.Int64
	seconds  prometheus.Histogram
	failures prometheus.Counter
}

func newFleetKeeper(snapshot func() *ledger.Snapshot, p func() *policy.Policy, registerer prometheus.Registerer, log logr.Logger) *fleetKeeper {
	k := &fleetKeeper{
		snapshot: snapshot, policy: p, log: log,
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "headroom_fleet_update_duration_seconds",
			Help:    "Time to take what has changed in the ledger into the order of nodes that pods are judged by.",
			Buckets: prometheus.ExponentialBuckets(0.0001, 4, 8),
		}),
		failures: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "headroom_fleet_failures_total",
			Help: "Failures to keep the order of nodes that pods are judged by. Until it is kept again, every node is looked at for each pod.",
		}),
	}
	registerer.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "headroom_fleet_behind_seconds",
		Help: "For how long pods have been judged by less than all that is in the ledger; 0 where nothing has changed that they are not judged by.",
	}, func() float64 { return k.behind(time.Now()).Seconds() }))
	gauge := func(name, help string, value func(f *fit.Fleet) float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 {
			if f := k.fleet.Load(); f != nil {
				return value(f)
			}
			return 0
		})
	}
	registerer.MustRegister(
		k.seconds, k.failures,
		gauge("headroom_fleet_classes", "Classes of nodes: those of one runtime, platform and pool of the policy.",
			func(f *fit.Fleet) float64 { classes, _ := f.Classes(); return float64(classes) }),
		gauge("headroom_fleet_blocks", "Blocks of up to 64 nodes of one class that are judged together.",
			func(f *fit.Fleet) float64 { _, blocks := f.Classes(); return float64(blocks) }),
	)
	return k
}

// behind is how long the fleet has not been the one of what is in force.
func (k *fleetKeeper) behind(now time.Time) time.Duration {
	f, s := k.fleet.Load(), k.snapshot()
	if f == nil || f.Of(s, k.policy()) {
		return 0
	}
	return time.Duration(now.UnixNano() - k.current.Load())
}

// Start works until ctx ends.
func (k *fleetKeeper) Start(ctx context.Context) error {
	timer := time.NewTimer(fleetEvery)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
			timer.Reset(min(max(fleetEvery, (fleetShare-1)*k.update(time.Now())), fleetRarely))
		}
	}
}

// update takes in what is new as of now, and returns how long that took. Where it fails there is no fleet: all nodes are looked at
// for each pod, which takes longer and comes to the same.
func (k *fleetKeeper) update(now time.Time) (took time.Duration) {
	defer func() {
		if broken := recover(); broken != nil {
			k.fleet.Store(nil)
			k.failures.Inc()
			k.log.Error(fmt.Errorf("panic: %v", broken), "The order of nodes that pods are judged by could not be kept", "stack", string(debug.Stack()))
			took = fleetRarely
		}
	}()
	s, p, before := k.snapshot(), k.policy(), k.fleet.Load()
	if p == nil || !s.Synced() {
		return 0
	}
	next := before.Next(s, p, now)
	k.current.Store(now.UnixNano())
	if next == before {
		return 0
	}
	k.fleet.Store(next)
	took = time.Since(now)
	k.seconds.Observe(took.Seconds())
	return took
}
