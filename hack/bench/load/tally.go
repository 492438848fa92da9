// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package load

import (
	"sync"
	"time"
)

// Outcome is what became of requests.
type Outcome struct {
	Requests int    `json:"requests"`
	Errors   int    `json:"errors"`
	Error    string `json:"error,omitempty"` // the first one
	// Latency is of all of them, failed ones too. Lateness is the generator's own, in an open loop: how long after they were due
	// requests were sent.
	Latency  Latency  `json:"latencyMicroseconds"`
	Lateness *Latency `json:"latenessMicroseconds,omitempty"`
}

// tally collects it.
type tally struct {
	mu        sync.Mutex
	latencies []time.Duration
	lateness  []time.Duration
	errors    int
	firstErr  error
}

func (t *tally) add(latency time.Duration, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.latencies = append(t.latencies, latency)
	if err != nil {
		t.errors++
		if t.firstErr == nil {
			t.firstErr = err
		}
	}
}

// outcome sums up, once all requests have ended.
func (t *tally) outcome() Outcome {
	o := Outcome{Requests: len(t.latencies), Errors: t.errors, Latency: LatencyOf(t.latencies)}
	if t.firstErr != nil {
		o.Error = t.firstErr.Error()
	}
	if len(t.lateness) > 0 {
		o.Lateness = new(LatencyOf(t.lateness))
	}
	return o
}
