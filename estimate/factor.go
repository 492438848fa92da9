// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package estimate

import (
	"math"
	"math/bits"
)

// Factor is what to multiply a size with, such as the bytes an image takes on disk for each byte that its runtime
// reports. It has no unit.
type Factor struct {
	Low    float64 `json:"low"`
	Likely float64 `json:"likely"`
	High   float64 `json:"high"`
}

// Valid reports whether 0 <= Low <= Likely <= High and all three are finite.
func (f Factor) Valid() bool {
	// A NaN makes every comparison false.
	return 0 <= f.Low && f.Low <= f.Likely && f.Likely <= f.High && !math.IsInf(f.High, 1)
}

// Times returns b multiplied by f as intervals are multiplied. The product is exact and then rounded outward: Low down,
// High up, Likely to the nearest byte with halves away from zero. A factor that is not Valid says nothing about the size:
// the likely value stays, and the result has no bound but zero, on the side where it can't change sign.
func (b Bytes) Times(f Factor) Bytes {
	b = b.ordered()
	if !f.Valid() {
		return b.timesAnything()
	}
	low, high := f.Low, f.High
	if b.Low < 0 {
		low = f.High
	}
	if b.High < 0 {
		high = f.Low
	}
	product := Bytes{
		Low:    scale(b.Low, low, down),
		Likely: scale(b.Likely, f.Likely, nearest),
		High:   scale(b.High, high, up),
	}
	return product.open(b.Low == math.MinInt64 && low > 0, b.High == math.MaxInt64 && high > 0)
}

// timesAnything is b times a factor of which only the sign is known.
func (b Bytes) timesAnything() Bytes {
	product := Bytes{Likely: b.Likely}
	return product.open(b.Low < 0, b.High > 0)
}

type rounding int

const (
	down rounding = iota
	nearest
	up
)

// awayFromZero reports whether a magnitude that was cut off has to grow by one.
func (r rounding) awayFromZero(negative, half, rest bool) bool {
	if r == nearest {
		return half
	}
	return (r == down) == negative && (half || rest)
}

// scale returns n*f, rounded and saturated. f is finite and not negative.
//
// Sizes above 2^53 don't fit a float64, so the product is taken in integers: f is mantissa*2^exponent, and n*mantissa
// fits 128 bits.
func scale(n int64, f float64, r rounding) int64 {
	fraction, exponent := math.Frexp(f)
	mantissa := uint64(fraction * (1 << 53))
	exponent -= 53
	magnitude := uint64(n) //nolint:gosec // G115: of a negative n the complement, which is wanted
	if n < 0 {
		magnitude = -magnitude
	}
	hi, lo := bits.Mul64(magnitude, mantissa)
	if hi == 0 && lo == 0 {
		return 0
	}
	if exponent >= 0 {
		// The mantissa has its top bit set, so that what is shifted out here is far past an int64.
		if hi != 0 || exponent >= bits.LeadingZeros64(lo) {
			return signed(math.MaxUint64, n < 0)
		}
		return signed(lo<<exponent, n < 0)
	}
	whole, half, rest := shiftRight(hi, lo, uint(-exponent))
	if r.awayFromZero(n < 0, half, rest) && whole < math.MaxUint64 {
		whole++
	}
	return signed(whole, n < 0)
}

// shiftRight returns hi:lo shifted right by n bits, saturated at 64 bits; whether the highest bit shifted out was set;
// and whether any other one was.
func shiftRight(hi, lo uint64, n uint) (whole uint64, half, rest bool) {
	switch {
	case n > 128:
		return 0, false, true
	case n == 128:
		return 0, hi>>63 == 1, hi<<1 != 0 || lo != 0
	case n > 64:
		n -= 64
		return hi >> n, hi>>(n-1)&1 == 1, hi&(1<<(n-1)-1) != 0 || lo != 0
	case hi>>(n-1)>>1 != 0:
		return math.MaxUint64, false, false
	default:
		whole = hi<<(64-n) | lo>>(n-1)>>1
		return whole, lo>>(n-1)&1 == 1, lo&(1<<(n-1)-1) != 0
	}
}

// signed returns a magnitude as an int64, saturated.
func signed(magnitude uint64, negative bool) int64 {
	switch {
	case negative && magnitude >= 1<<63:
		return math.MinInt64
	case negative:
		return -int64(magnitude) //nolint:gosec // G115: less than 1<<63, as the case above says
	case magnitude > math.MaxInt64:
		return math.MaxInt64
	default:
		return int64(magnitude)
	}
}
