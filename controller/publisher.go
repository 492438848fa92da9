// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// publishEvery is the least time between two publications: what comes meanwhile is seen together. It is short beside how long
// an event takes to get here, and long beside what one costs.
const publishEvery = 10 * time.Millisecond

// samplesEvery is how long samples wait to be seen that replace others: they come at all times, are some seconds old, and many
// taken in together cost less.
const samplesEvery = 250 * time.Millisecond

// BatchedLedger is a ledger that waits to be told before readers see what changes; *ledger.Ledger is one.
type BatchedLedger interface {
	Batch(wake, later func())
	Publish() (nodes int)
}

// Publisher lets readers of a ledger see what changes: at once where nothing came for a while, and otherwise in batches.
type Publisher struct {
	ledger      BatchedLedger
	wake, later chan struct{}
	nodes       prometheus.Histogram
}

// NewPublisher makes the ledger wait for the publisher. Nothing may have been written yet.
func NewPublisher(l BatchedLedger, registerer prometheus.Registerer) *Publisher {
	p := &Publisher{ledger: l, wake: make(chan struct{}, 1), later: make(chan struct{}, 1), nodes: prometheus.NewHistogram(prometheus.HistogramOpts{
		Name:    "headroom_ledger_batch_nodes",
		Help:    "Nodes of which something changed in a batch of changes that became visible together. 0 where only pods that wait came or went.",
		Buckets: append([]float64{0}, prometheus.ExponentialBuckets(1, 4, 8)...),
	})}
	registerer.MustRegister(p.nodes)
	tell := func(c chan struct{}) func() {
		return func() {
			select {
			case c <- struct{}{}:
			default:
			}
		}
	}
	l.Batch(tell(p.wake), tell(p.later))
	return p
}

// Start publishes until ctx ends.
func (p *Publisher) Start(ctx context.Context) error {
	samples := time.NewTimer(0)
	defer samples.Stop()
	samples.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-p.later:
			samples.Reset(samplesEvery)
			continue
		case <-p.wake:
		case <-samples.C:
		}
		samples.Stop()
		p.nodes.Observe(float64(p.ledger.Publish()))
		sleep(ctx, publishEvery)
	}
}
