// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package layer

import (
	"encoding/binary"
	"testing"
)

// TestTheSizeAtTheEndOfGzipWraps: that size is modulo 4 GiB. Whatever it can stand for is in the interval, and of those the one
// that the beginning makes expect is likely.
func TestTheSizeAtTheEndOfGzipWraps(t *testing.T) {
	const gib = int64(1) << 30
	for what, test := range map[string]struct {
		blob, truth int64
		ratio       float64 // by which the beginning compresses
		likely      bool    // the truth
		ambiguous   bool    // something else is possible as well
	}{
		"3 GiB, as expected":                            {blob: gib, truth: 3 * gib, ratio: 3, likely: true, ambiguous: true},
		"just below 4 GiB":                              {blob: 4 * gib / 3, truth: 4*gib - 1, ratio: 3, likely: true, ambiguous: true},
		"4 GiB, which look like nothing":                {blob: 4*gib + 1<<20, truth: 4 * gib, ratio: 1, likely: true, ambiguous: true},
		"5 GiB, which look like one":                    {blob: 2 * gib, truth: 5 * gib, ratio: 2.5, likely: true, ambiguous: true},
		"20 GiB that do not compress":                   {blob: 20*gib + 1<<20, truth: 20 * gib, ratio: 1, likely: true, ambiguous: true},
		"100 GiB and an odd byte":                       {blob: 50 * gib, truth: 100*gib + 1, ratio: 2, likely: true, ambiguous: true},
		"9 GiB, where five would be as good":            {blob: 3 * gib, truth: 9 * gib, ratio: 5. / 3, ambiguous: true},
		"5 GiB, of which the beginning compresses more": {blob: 3 * gib, truth: 5 * gib, ratio: 4, ambiguous: true},
		"100 MiB: nothing else is possible":             {blob: 40 << 20, truth: 100 << 20, ratio: 2.5, likely: true},
	} {
		b := beginning{size: test.blob, decoded: int64(HeadBytes * test.ratio), consumed: HeadBytes}
		b.tarBytes = b.decoded
		tail := binary.LittleEndian.AppendUint32(nil, uint32(test.truth&(gzipWrap-1)))
		got := gzipTotal(b, tail)
		if got.Low > test.truth || got.High < test.truth {
			t.Errorf("%s: %d bytes are not in %+v", what, test.truth, got)
		}
		if test.likely && got.Likely != test.truth {
			t.Errorf("%s: likely %d bytes, want %d", what, got.Likely, test.truth)
		}
		if wide := got.High-got.Low >= gzipWrap; wide != test.ambiguous {
			t.Errorf("%s: %+v holds another size: %v, want %v", what, got, wide, test.ambiguous)
		}
	}
}
