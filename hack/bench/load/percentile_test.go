// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package load

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestPercentileIsAValueThatWasMeasured(t *testing.T) {
	thousand := make([]time.Duration, 1000)
	for i := range thousand {
		thousand[i] = time.Duration(i+1) * time.Millisecond
	}
	for about, c := range map[string]struct {
		values []time.Duration
		share  float64
		want   time.Duration
	}{
		"none":                 {nil, 0.5, 0},
		"one":                  {thousand[:1], 0.99, time.Millisecond},
		"the lower one of two": {thousand[:2], 0.5, time.Millisecond},
		"the median of three":  {thousand[:3], 0.5, 2 * time.Millisecond},
		"99 of a hundred":      {thousand[:100], 0.99, 99 * time.Millisecond},
		"99.9 percent":         {thousand, 0.999, 999 * time.Millisecond},
		"all":                  {thousand, 1, time.Second},
		"less than one of all": {thousand[:10], 0.01, time.Millisecond},
	} {
		t.Run(about, func(t *testing.T) {
			if got := percentile(c.values, c.share); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestLatencyIsInMicrosecondsOfAnyOrder(t *testing.T) {
	values := []time.Duration{4 * time.Millisecond, time.Millisecond, 1500 * time.Nanosecond, 3 * time.Millisecond}
	slices.Reverse(values)
	want := Latency{P50: 1000, P90: 4000, P99: 4000, P999: 4000, Max: 4000}
	if diff := cmp.Diff(want, LatencyOf(values)); diff != "" {
		t.Error(diff)
	}
}
