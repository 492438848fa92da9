// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package webhook

import "time"

// crewPatience is how long a goroutine that has nothing to do waits for more.
const crewPatience = 100 * time.Millisecond

// crew runs functions, each in a goroutine of its own for as long as it takes, and goroutines again and again: a new one has to
// grow its stack for every decision, which takes longer than some decisions. Of a nil crew, each function has a new one.
type crew struct {
	work chan func()
}

func newCrew() *crew { return &crew{work: make(chan func())} }

// do runs f at once, in a goroutine that waits for work or in a new one.
func (c *crew) do(f func()) {
	if c == nil {
		go f()
		return
	}
	select {
	case c.work <- f: // somebody waits
	default:
		go c.serve(f)
	}
}

func (c *crew) serve(f func()) {
	patience := time.NewTimer(crewPatience)
	defer patience.Stop()
	for {
		f()
		patience.Reset(crewPatience)
		select {
		case f = <-c.work:
		case <-patience.C:
			return
		}
	}
}
