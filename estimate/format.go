// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package estimate

import (
	"math"
	"strconv"
)

// Format returns n bytes for people, in the binary units that Kubernetes uses, with two significant digits: 3.1Gi, 10Gi,
// 850Mi, 12Ki, 510, 0, -2.4Gi. Halves are rounded away from zero. Sizes that are equal to two digits give equal text, so
// that two warnings about the same thing are the same warning.
func Format(n int64) string {
	units := [...]string{"", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"}
	value, unit := float64(n), 0
	for math.Abs(value) >= 1024 && unit < len(units)-1 {
		value /= 1024
		unit++
	}
	step := 1.0
	switch size := math.Abs(value); {
	case unit > 0 && size < 9.95:
		step = 0.1
	case size >= 99.5:
		// Up to 1023 of a unit come before the next one. Rounding to hundreds past 995 keeps two digits there, too.
		step = 10
	}
	if math.Abs(value) >= 995 {
		step = 100
	}
	rounded := math.Round(value/step) * step
	// The shortest form of one decimal drops a trailing ".0": Kubernetes writes 3Gi.
	return strconv.FormatFloat(math.Round(rounded*10)/10, 'f', -1, 64) + units[unit]
}
