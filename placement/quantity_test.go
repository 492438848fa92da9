// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package placement_test

import (
	"math"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/headroom-dev/headroom/placement"
)

func TestQuantitiesSaturate(t *testing.T) {
	tests := map[string]struct{ value, milli int64 }{
		"0":                     {0, 0},
		"100Gi":                 {100 << 30, 1000 * 100 << 30},
		"1500m":                 {2, 1500},
		"-1500m":                {-2, -1500},
		"1n":                    {1, 1},
		"9223372036854775":      {9223372036854775, 9223372036854775000},
		"9223372036854776":      {9223372036854776, math.MaxInt64},
		"9223372036854775806":   {math.MaxInt64 - 1, math.MaxInt64},
		"9223372036854775807":   {math.MaxInt64, math.MaxInt64},
		"9223372036854775807m":  {9223372036854776, math.MaxInt64},
		"-9223372036854775807":  {-math.MaxInt64, -math.MaxInt64},
		"-9E":                   {-9e18, -math.MaxInt64},
		"8Ei":                   {math.MaxInt64, math.MaxInt64},
		"10E":                   {math.MaxInt64, math.MaxInt64},
		"-10E":                  {-math.MaxInt64, -math.MaxInt64},
		"1000000000000Ei":       {math.MaxInt64, math.MaxInt64},
		"123456789012345678900": {math.MaxInt64, math.MaxInt64},
		"1e2000000000":          {math.MaxInt64, math.MaxInt64},
		"-1e2000000000":         {-math.MaxInt64, -math.MaxInt64},
	}
	for text, want := range tests {
		t.Run(text, func(t *testing.T) {
			q := resource.MustParse(text)
			if got := placement.ValueOf(q); got != want.value {
				t.Errorf("the value is %d, want %d", got, want.value)
			}
			got := placement.ResourcesOf(corev1.ResourceList{
				corev1.ResourceCPU: q, corev1.ResourceMemory: q, corev1.ResourcePods: q, corev1.ResourceEphemeralStorage: q,
			})
			wanted := placement.Resources{
				MilliCPU: want.milli, MemoryBytes: want.value, Pods: want.value,
				Extended: map[corev1.ResourceName]int64{corev1.ResourceEphemeralStorage: want.value},
			}
			if !got.Equal(wanted) {
				t.Errorf("the resources are %+v, want %+v", got, wanted)
			}
		})
	}
}
