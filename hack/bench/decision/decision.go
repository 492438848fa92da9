// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

// Package decision measures fit.Evaluate by itself, and the ledger that it reads.
//
// Contract: one goroutine decides, one pod after the other, for as long as it is told, but at least once for each kind of pod.
// Nothing else runs in the process.
package decision

import (
	"fmt"
	"runtime"
	"time"

	"github.com/headroom-dev/headroom/fit"
	"github.com/headroom-dev/headroom/ledger"

	"github.com/headroom-dev/headroom/hack/bench/fleet"
	"github.com/headroom-dev/headroom/hack/bench/load"
	"github.com/headroom-dev/headroom/hack/bench/result"
	"github.com/headroom-dev/headroom/hack/bench/review"
)

// maxDecisions bounds a round: of more, the percentiles say the same.
const maxDecisions = 200_000

// Decider decides over one fleet.
type Decider struct {
	fleet       fleet.Spec
	ledger      *ledger.Ledger
	requests    []fit.Request
	ledgerBytes int64
	come        int // how many pods have come, see amid
}

// New makes the fleet's ledger, and the order of nodes that is kept beside it, and measures what they take of the heap.
func New(f fleet.Spec) *Decider {
	before := live()
	d := &Decider{fleet: f, ledger: f.Ledger()}
	kept := fleet.Evaluator(d.ledger)
	d.ledgerBytes = live() - before
	runtime.KeepAlive(kept)
	for _, pod := range review.Pods(fleet.Wanted()) {
		d.requests = append(d.requests, fit.RequestOf(pod))
	}
	return d
}

// live is how many bytes of the heap are in use, after a collection. It runs twice: what the first one finds to have a finalizer,
// the second one frees.
func live() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc) //nolint:gosec // G115: no heap has 2^63 bytes
}

// Round decides for so long, not at all where that is not positive. What is remembered of a kind of pod until nodes change is
// found out anew in each round, by the first decision about it.
func (d *Decider) Round(round int, length time.Duration) result.Decision {
	r := result.Decision{Round: round, Fleet: d.fleet, LedgerBytes: d.ledgerBytes}
	if length <= 0 {
		return r
	}
	evaluator := fleet.Evaluator(d.ledger)
	firsts := make([]time.Duration, 0, len(d.requests))
	for _, request := range d.requests {
		at := time.Now()
		evaluator.Evaluate(request)
		firsts = append(firsts, time.Since(at))
	}
	r.First = load.LatencyOf(firsts)
	took, namespaces := make([]time.Duration, 0, maxDecisions), d.namespaces()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	took = d.decide(evaluator, namespaces, length, took)
	runtime.ReadMemStats(&after)
	r.Count, r.Allocations = len(took), float64(after.Mallocs-before.Mallocs)/float64(len(took))
	r.Latency = load.LatencyOf(took)
	r.Again = load.LatencyOf(d.decide(evaluator, namespaces[:1], length/4, took[:0]))
	if d.fleet.Kind == fleet.Burst {
		r.Amid = new(load.LatencyOf(d.amid(length)))
	}
	return r
}

// decide decides for so long about pods of these namespaces by turns, and adds what each decision took.
func (d *Decider) decide(evaluator fit.Evaluator, namespaces []string, length time.Duration, took []time.Duration) []time.Duration {
	for began := time.Now(); len(took) < len(d.requests) || time.Since(began) < length && len(took) < maxDecisions; {
		request := d.requests[len(took)%len(d.requests)]
		request.Namespace = namespaces[len(took)%len(namespaces)]
		at := time.Now()
		evaluator.Evaluate(request)
		took = append(took, time.Since(at))
	}
	return took
}

// namespaces are so many that what a fleet has decided about a pod of one is forgotten when it is its turn again. In a burst it is
// all about one.
func (d *Decider) namespaces() []string {
	if d.fleet.Kind == fleet.Burst {
		return []string{d.requests[0].Namespace}
	}
	names := make([]string, 4096)
	for i := range names {
		names[i] = fmt.Sprint("shop-", i)
	}
	return names
}
