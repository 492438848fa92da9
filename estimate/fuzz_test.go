// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package estimate

import (
	"math"
	"math/big"
	"strings"
	"testing"
)

// FuzzBytes compares every operation with the same one on numbers that can't overflow.
func FuzzBytes(f *testing.F) {
	f.Add(int64(1), int64(2), int64(3), int64(4), int64(5), int64(6), 1.0, 2.5, 3.0)
	f.Add(int64(math.MinInt64), int64(0), int64(math.MaxInt64), int64(math.MinInt64), int64(-1), int64(math.MaxInt64), 0.0, 1e-300, 1e300)
	f.Add(int64(math.MaxInt64), int64(math.MaxInt64), int64(math.MaxInt64), int64(-1), int64(-1), int64(-1), math.NaN(), -1.0, math.Inf(1))
	f.Add(int64(-1), int64(-3), int64(1<<53+1), int64(7), int64(7), int64(7), 0.5, 0.5, 0.5)
	f.Fuzz(func(t *testing.T, aLow, aLikely, aHigh, bLow, bLikely, bHigh int64, fLow, fLikely, fHigh float64) {
		a, b := Between(aLow, aLikely, aHigh), Between(bLow, bLikely, bHigh)
		factor := Factor{fLow, fLikely, fHigh}
		same(t, "SaturatingAdd", SaturatingAdd(aLow, bLow), new(big.Int).Add(whole(aLow), whole(bLow)))
		same(t, "SaturatingSub", SaturatingSub(aLow, bLow), new(big.Int).Sub(whole(aLow), whole(bLow)))
		sum, difference := a.Plus(b), a.Minus(b)
		same(t, "likely sum", sum.Likely, new(big.Int).Add(whole(a.Likely), whole(b.Likely)))
		same(t, "likely difference", difference.Likely, new(big.Int).Sub(whole(a.Likely), whole(b.Likely)))
		if a.Low > math.MinInt64 && b.Low > math.MinInt64 {
			same(t, "low sum", sum.Low, new(big.Int).Add(whole(a.Low), whole(b.Low)))
		} else if sum.Low != math.MinInt64 {
			t.Errorf("%#v + %#v has a lower bound", a, b)
		}
		if a.High < math.MaxInt64 && b.Low > math.MinInt64 {
			same(t, "high difference", difference.High, new(big.Int).Sub(whole(a.High), whole(b.Low)))
		} else if difference.High != math.MaxInt64 {
			t.Errorf("%#v - %#v has an upper bound", a, b)
		}
		product := a.Times(factor)
		if factor.Valid() {
			if a.Low > math.MinInt64 {
				same(t, "low product", product.Low, down.of(a.Low, pick(a.Low < 0, fHigh, fLow)))
			}
			if a.High < math.MaxInt64 {
				same(t, "high product", product.High, up.of(a.High, pick(a.High < 0, fLow, fHigh)))
			}
			same(t, "likely product", product.Likely, nearest.of(a.Likely, fLikely))
		}
		results := map[string]Bytes{
			"sum": sum, "difference": difference, "product": product, "literal": Bytes{aLow, aLikely, aHigh}.Plus(Bytes{}),
			"at least zero": a.AtLeastZero(), "with low": a.WithLow(bLow), "hull": a.Hull(b), "total": Sum(a, b, a),
		}
		for name, r := range results {
			if r.Low > r.Likely || r.Likely > r.High {
				t.Errorf("%s of %#v, %#v and %#v is out of order: %#v", name, a, b, factor, r)
			}
			if r.IsExact() == strings.HasPrefix(r.String(), "~") {
				t.Errorf("%#v is written %s", r, r)
			}
		}
	})
}

// of is scale in rationals.
func (r rounding) of(n int64, f float64) *big.Int {
	product := new(big.Rat).Mul(new(big.Rat).SetInt64(n), new(big.Rat).SetFloat64(f))
	if r == nearest {
		half := big.NewRat(1, 2)
		if product.Sign() < 0 {
			return up.rounded(product.Sub(product, half))
		}
		return down.rounded(product.Add(product, half))
	}
	return r.rounded(product)
}

func (r rounding) rounded(x *big.Rat) *big.Int {
	floor, rest := new(big.Int).DivMod(x.Num(), x.Denom(), new(big.Int))
	if r == up && rest.Sign() != 0 {
		floor.Add(floor, big.NewInt(1))
	}
	return floor
}

func whole(n int64) *big.Int { return big.NewInt(n) }

func pick(first bool, a, b float64) float64 {
	if first {
		return a
	}
	return b
}

// same expects the nearest int64 to want.
func same(t *testing.T, what string, got int64, want *big.Int) {
	t.Helper()
	nearest := want
	if want.Cmp(whole(math.MaxInt64)) > 0 {
		nearest = whole(math.MaxInt64)
	}
	if want.Cmp(whole(math.MinInt64)) < 0 {
		nearest = whole(math.MinInt64)
	}
	if whole(got).Cmp(nearest) != 0 {
		t.Errorf("%s is %d, want %s", what, got, nearest)
	}
}
