// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package placement

import (
	"math"

	"k8s.io/apimachinery/pkg/api/resource"
)

// ValueOf returns a quantity, rounded away from zero. What no int64 holds
// saturates, where [resource.Quantity.Value] says that 10E is 0.
func ValueOf(q resource.Quantity) int64 { return saturated(q, resource.Scale(0)) }

// milliValueOf returns a quantity in thousandths, like ValueOf.
func milliValueOf(q resource.Quantity) int64 { return saturated(q, resource.Milli) }

// saturated compares exactly only what is about as large as an int64: with an
// exponent in millions, comparing takes minutes.
func saturated(q resource.Quantity, scale resource.Scale) int64 {
	if q.Sign() < 0 {
		// ScaledValue is wrong about some negative numbers, too.
		q = q.DeepCopy()
		q.Neg()
		return -saturated(q, scale)
	}
	about := q.AsApproximateFloat64() / math.Pow10(int(scale))
	if about > 1<<64 || about > 1<<62 && q.Cmp(*resource.NewScaledQuantity(math.MaxInt64, scale)) >= 0 {
		return math.MaxInt64
	}
	return q.ScaledValue(scale)
}
