// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestCrew: nobody waits for somebody else's function, goroutines are used again, and end when there is nothing to do.
func TestCrew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrew()
		before := runtime.NumGoroutine()
		release := make(chan struct{})
		for range 10 {
			c.do(func() { <-release })
		}
		synctest.Wait()
		if got := runtime.NumGoroutine() - before; got != 10 {
			t.Errorf("%d goroutines for 10 functions that hang", got)
		}
		close(release)
		for range 100 {
			synctest.Wait()
			var done sync.WaitGroup
			done.Add(5)
			for range 5 {
				c.do(done.Done)
			}
			done.Wait()
			time.Sleep(crewPatience / 10)
		}
		if got := runtime.NumGoroutine() - before; got > 10 || got < 1 {
			t.Errorf("%d goroutines after 5 functions at a time, want those 10 at most", got)
		}
		time.Sleep(2 * crewPatience)
		synctest.Wait()
		if got := runtime.NumGoroutine() - before; got != 0 {
			t.Errorf("%d goroutines are left", got)
		}
	})
}
