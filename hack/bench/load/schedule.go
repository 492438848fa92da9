// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package load

import "time"

// schedule says when each request of an open loop is due. That depends on nothing that happens: a latency is counted from when
// a request was due, so that a server that stalls is charged for every request that it kept from being sent in time. (A
// generator that waits for answers before it sends on would send, and count, just one: coordinated omission.)
type schedule struct {
	start time.Time
	rate  float64 // requests a second
}

// due is when request i is due, the first one, 0, at once.
func (s schedule) due(i int) time.Time {
	return s.start.Add(time.Duration(float64(i) / s.rate * float64(time.Second)))
}

// count is how many requests are due before d has passed.
func (s schedule) count(d time.Duration) int {
	return int(s.rate * d.Seconds())
}
