// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
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
	// nodesShare is the share of a processor that it may take to keep up with nodes: one part in so many. It is the nodes that have
	// changed which take time, now or later, so that little is saved by waiting. waitingShare is that for pods that wait:
	// of one that comes or goes something is new on all nodes, but little.
	nodesShare, waitingShare = 3, 10
	// nodesRarely is how long after a change of a node it is there at the latest, be there time or not; so long it is waited after a
	// failure. waitingRarely is the same for pods that wait.
	nodesRarely, waitingRarely = 250 * time.Millisecond, 750 * time.Millisecond
)

// fleetKeeper keeps what all requests ask of the nodes: worked out off their path, of all that has changed since the last time.
type fleetKeeper struct {
	snapshot func() *ledger.Snapshot
	policy   func() *policy.Policy

	log logr.Logger

	fleet atomic.Pointer[fit.Fleet]
	// latest is the fleet to go on with, which was made of taken, and updated is when it last was another one.
	latest  *fit.Fleet
	taken   *ledger.Snapshot
	updated time.Time
	// made is where a fleet comes from that takes in which pods wait, nil while none is being made. waitingDue is when there is time
	// again for that.
	made       chan fleetMade
	waitingDue time.Time
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
			timer.Reset(k.update(time.Now()))
		}
	}
}

// update takes in what is new as of now, and returns how long to wait before the next time. Where it fails there is no fleet: all
// nodes are looked at for each pod, which takes longer and comes to the same.
func (k *fleetKeeper) update(now time.Time) (pause time.Duration) {
	fail := func(err error) {
		k.fleet.Store(nil)
		k.latest, k.taken = nil, nil
		k.failures.Inc()
		k.log.Error(err, "The order of nodes that pods are judged by could not be kept")
		pause = nodesRarely
	}
	defer func() {
		if broken := recover(); broken != nil {
			fail(panicked(broken))
		}
	}()
	if err := k.adopt(); err != nil {
		fail(err)
		return pause
	}
	s, p := k.snapshot(), k.policy()
	if p == nil || !s.Synced() {
		return fleetEvery
	}
	take := k.take(s, now)
	if take == nil {
		return fleetEvery
	}
	next := k.latest.Next(take, p, now)
	if take == s {
		k.current.Store(now.UnixNano())
	} else if k.made == nil && !now.Before(k.waitingDue) {
		k.makeBeside(next, s, p, now)
	}
	k.latest, k.taken = next, take
	if next == k.fleet.Load() {
		return fleetEvery
	}
	k.fleet.Store(next)
	k.updated = now
	took := time.Since(now)
	k.seconds.Observe(took.Seconds())
	return min(max(fleetEvery, (nodesShare-1)*took), nodesRarely)
}

// take is what to make the next fleet of: all that is new but for the pods that wait, or all of it where these are the same, or
// there is nothing to go on with, or can be no difference. It is nil where it is not yet time for that.
func (k *fleetKeeper) take(s *ledger.Snapshot, now time.Time) *ledger.Snapshot {
	if k.taken == nil {
		return s
	}
	if earlier, able := s.WaitingAsIn(k.taken); able {
		return earlier
	}
	// What is made beside knows no more of these nodes.
	if now.Sub(k.updated) < nodesRarely {
		return nil
	}
	k.made = nil
	return s
}
