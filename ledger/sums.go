// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"math"

	"github.com/headroom-dev/headroom/estimate"
)

// sums adds up costs from which some are taken out again. It is the same as to add up the others with [estimate.SaturatingAdd],
// but for what is beyond. No cost is negative.
type sums struct{ low, likely, high sum }

func (s *sums) add(cost estimate.Bytes) {
	s.low.add(cost.Low)
	s.likely.add(cost.Likely)
	s.high.add(cost.High)
}

// join adds what others add up to, which may be less than nothing as a whole.
func (s *sums) join(o *sums) {
	s.low.join(o.low)
	s.likely.join(o.likely)
	s.high.join(o.high)
}

// take takes out a cost that has been added.
func (s *sums) take(cost estimate.Bytes) {
	s.low.take(cost.Low)
	s.likely.take(cost.Likely)
	s.high.take(cost.High)
}

// beyond reports whether a bound is more than can be counted, so that nothing can be taken out.
func (s *sums) beyond() bool {
	return s.low.finite == math.MaxInt64 || s.likely.finite == math.MaxInt64 || s.high.finite == math.MaxInt64
}

func (s *sums) bytes() estimate.Bytes {
	return estimate.Bytes{Low: s.low.value(), Likely: s.likely.value(), High: s.high.value()}
}

// sum is one bound. What has no end, as the high bound of a size that nobody knows, is counted apart.
type sum struct {
	finite  int64
	endless int
}

func (s *sum) add(bytes int64) {
	if bytes == math.MaxInt64 {
		s.endless++
		return
	}
	s.finite = estimate.SaturatingAdd(s.finite, bytes)
}

func (s *sum) take(bytes int64) {
	if bytes == math.MaxInt64 {
		s.endless--
		return
	}
	s.finite -= bytes
}

func (s *sum) join(o sum) {
	s.finite, s.endless = estimate.SaturatingAdd(s.finite, o.finite), s.endless+o.endless
}

func (s *sum) value() int64 {
	if s.endless > 0 {
		return math.MaxInt64
	}
	return s.finite
}
