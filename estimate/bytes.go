// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

// Package estimate is the arithmetic of byte counts that say how sure they are.
//
// What an image will take on a disk, or what a disk will have free in a minute, is rarely known exactly. A Bytes carries
// a bound on either side and a most likely value; rules that refuse something use the optimistic bound, rules that warn
// use the likely value. All quantities are bytes. Nothing here overflows or panics, whatever the input: results saturate,
// and a bound that has saturated outward stays there, so that an interval never claims more than is known.
package estimate

import "math"

// Bytes is an estimated number of bytes. For every value that this package makes, Low <= Likely <= High. It may be
// negative: a projected free space can be.
//
// Low equal to math.MinInt64 means that there is no lower bound, High equal to math.MaxInt64 that there is no upper one;
// sums and differences keep that. A literal whose fields are out of order is put in order by the first method that takes it.
type Bytes struct {
	Low    int64 `json:"low"`
	Likely int64 `json:"likely"`
	High   int64 `json:"high"`
}

// Exactly returns an estimate of n bytes that has no doubt in it.
func Exactly(n int64) Bytes { return Bytes{Low: n, Likely: n, High: n} }

// Between returns an estimate with these bounds. Input out of order is put in order: the smallest of the three becomes
// Low, the largest High, and likely stays where it was.
func Between(low, likely, high int64) Bytes {
	return Bytes{Low: min(low, likely, high), Likely: likely, High: max(low, likely, high)}
}

// Unbounded returns an estimate without an upper bound.
func Unbounded(low, likely int64) Bytes { return Between(low, likely, math.MaxInt64) }

// Sum returns the sum of all estimates, exactly zero for none.
func Sum(all ...Bytes) Bytes {
	var total Bytes
	for _, b := range all {
		total = total.Plus(b)
	}
	return total
}

// Plus returns b + o, bound by bound.
func (b Bytes) Plus(o Bytes) Bytes {
	b, o = b.ordered(), o.ordered()
	sum := Bytes{
		Low:    SaturatingAdd(b.Low, o.Low),
		Likely: SaturatingAdd(b.Likely, o.Likely),
		High:   SaturatingAdd(b.High, o.High),
	}
	return sum.open(b.Low == math.MinInt64 || o.Low == math.MinInt64, b.High == math.MaxInt64 || o.High == math.MaxInt64)
}

// Minus returns b - o as intervals are subtracted: the lowest result is b.Low - o.High, the highest b.High - o.Low.
func (b Bytes) Minus(o Bytes) Bytes {
	b, o = b.ordered(), o.ordered()
	difference := Bytes{
		Low:    SaturatingSub(b.Low, o.High),
		Likely: SaturatingSub(b.Likely, o.Likely),
		High:   SaturatingSub(b.High, o.Low),
	}
	return difference.open(b.Low == math.MinInt64 || o.High == math.MaxInt64, b.High == math.MaxInt64 || o.Low == math.MinInt64)
}

// AtLeastZero returns b with each bound below zero raised to zero.
func (b Bytes) AtLeastZero() Bytes {
	b = b.ordered()
	return Bytes{Low: max(b.Low, 0), Likely: max(b.Likely, 0), High: max(b.High, 0)}
}

// WithLow returns b with the lower bound n. Where n is above the likely value or the upper bound, these are raised to n.
func (b Bytes) WithLow(n int64) Bytes {
	b = b.ordered()
	return Bytes{Low: n, Likely: max(b.Likely, n), High: max(b.High, n)}
}

// Hull returns the smallest interval that holds both; the likely value stays that of b.
func (b Bytes) Hull(o Bytes) Bytes {
	b, o = b.ordered(), o.ordered()
	return Bytes{Low: min(b.Low, o.Low), Likely: b.Likely, High: max(b.High, o.High)}
}

// IsExact reports whether there is no doubt in b.
func (b Bytes) IsExact() bool { return b.Low == b.Likely && b.Likely == b.High }

// IsZero reports whether b is exactly zero.
func (b Bytes) IsZero() bool { return b == Bytes{} }

// String returns b for people: Format of the likely value, after a "~" unless b is exact.
func (b Bytes) String() string {
	if b.IsExact() {
		return Format(b.Likely)
	}
	return "~" + Format(b.Likely)
}

func (b Bytes) ordered() Bytes { return Between(b.Low, b.Likely, b.High) }

// open takes away the bounds that an operand did not have.
func (b Bytes) open(low, high bool) Bytes {
	if low {
		b.Low = math.MinInt64
	}
	if high {
		b.High = math.MaxInt64
	}
	return b
}

// SaturatingAdd returns a + b, or the nearest int64 where that does not fit.
func SaturatingAdd(a, b int64) int64 {
	switch {
	case b > 0 && a > math.MaxInt64-b:
		return math.MaxInt64
	case b < 0 && a < math.MinInt64-b:
		return math.MinInt64
	default:
		return a + b
	}
}

// SaturatingSub returns a - b, or the nearest int64 where that does not fit.
func SaturatingSub(a, b int64) int64 {
	switch {
	case b < 0 && a > math.MaxInt64+b:
		return math.MaxInt64
	case b > 0 && a < math.MinInt64+b:
		return math.MinInt64
	default:
		return a - b
	}
}
