// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import "time"

// wallClock is the clock of everything in this package that is not given another one. Tests that care run in a
// testing/synctest bubble, where it is a fake one.
func wallClock() time.Time {
	return time.Now() //nolint:forbidigo // feeds stamp what they receive; this is the one place where the time comes from
}
