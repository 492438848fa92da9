// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package load

import (
	"math"
	"slices"
	"time"
)

// Latency is how long requests took, in microseconds.
type Latency struct {
	P50  float64 `json:"p50"`
	P90  float64 `json:"p90"`
	P99  float64 `json:"p99"`
	P999 float64 `json:"p999"`
	Max  float64 `json:"max"`
}

// LatencyOf sums up; it sorts what it is given. Zero for none.
func LatencyOf(all []time.Duration) Latency {
	slices.Sort(all)
	return Latency{
		P50: microseconds(percentile(all, 0.5)), P90: microseconds(percentile(all, 0.9)), P99: microseconds(percentile(all, 0.99)),
		P999: microseconds(percentile(all, 0.999)), Max: microseconds(percentile(all, 1)),
	}
}

// percentile is the least value that a share of all values is at or below: one that was measured, none in between.
func percentile(sorted []time.Duration, share float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	rank := int(math.Ceil(share * float64(len(sorted))))
	return sorted[min(max(rank, 1), len(sorted))-1]
}

func microseconds(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
