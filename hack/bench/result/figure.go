// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package result

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Figure is the median of some rounds, and between what it was.
type Figure struct {
	Median, Min, Max float64
	Rounds           int
}

// figureOf sums up. Without values, Rounds is 0.
func figureOf(values []float64) Figure {
	if len(values) == 0 {
		return Figure{}
	}
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return Figure{
		Median: (sorted[(n-1)/2] + sorted[n/2]) / 2, Min: sorted[0], Max: sorted[n-1], Rounds: n,
	}
}

// byRound are the values of rounds.
type byRound map[int]float64

func (r byRound) figure() Figure {
	values := make([]float64, 0, len(r))
	for _, v := range r {
		values = append(values, v)
	}
	return figureOf(values)
}

// over divides, within each round that has both.
func (r byRound) over(divisor byRound) Figure {
	var ratios []float64
	for round, v := range r {
		if d := divisor[round]; d > 0 {
			ratios = append(ratios, v/d)
		}
	}
	return figureOf(ratios)
}

// String is "1.23 (1.1 to 1.4)", or "-" for none.
func (f Figure) String() string {
	if f.Rounds == 0 {
		return "-"
	}
	median, least, greatest := number(f.Median), number(f.Min), number(f.Max)
	if least == greatest {
		return median
	}
	return fmt.Sprintf("%s (%s to %s)", median, least, greatest)
}

// number has three significant digits, and groups of thousands.
func number(v float64) string {
	if v == 0 {
		return "0"
	}
	digits := max(0, 2-int(math.Floor(math.Log10(math.Abs(v)))))
	if digits == 0 {
		return grouped(v)
	}
	text := strconv.FormatFloat(v, 'f', digits, 64)
	return strings.TrimSuffix(strings.TrimRight(text, "0"), ".")
}

func grouped(v float64) string {
	text := strconv.FormatInt(int64(math.Round(math.Abs(v))), 10)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	if v < 0 {
		return "-" + text
	}
	return text
}
