// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package ledger_test

import (
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/headroom-dev/headroom/ledger"
)

// TestWritersAndReaders is for the race detector: writers write histories, while
// readers read all that there is to read and find generations that only grow.
func TestWritersAndReaders(t *testing.T) {
	l := ledger.New()
	l.MarkSynced()
	var writers, readers sync.WaitGroup
	for seed := range uint64(3) {
		writers.Go(func() {
			h := &history{Rand: rand.New(rand.NewPCG(seed, 7)), now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), uids: map[string]int{}}
			for range 2000 {
				e := h.next()
				e.write(l)
			}
		})
	}
	done := make(chan struct{})
	for range 3 {
		readers.Go(func() {
			last := uint64(0)
			for {
				select {
				case <-done:
					return
				default:
				}
				s := l.Snapshot()
				if s.Generation() < last {
					t.Errorf("generation %d after %d", s.Generation(), last)
				}
				last = s.Generation()
				read(s)
			}
		})
	}
	writers.Wait()
	close(done)
	readers.Wait()
}

func read(s *ledger.Snapshot) {
	v := ledger.View{Now: time.Date(2026, 1, 2, 4, 0, 0, 0, time.UTC)}
	accounts := s.Accounts(v)
	for row := range s.Nodes() {
		_, _ = s.Account(row, v), accounts.Of(row)
		_ = row.Free()
		for pod := range row.Pods() {
			for i := range pod.Images {
				_ = row.Uses(pod.Images[i].Ref)
			}
		}
	}
	for pod := range s.UnboundPods() {
		v.Pod = pod.UID
	}
	_ = s.Platforms()
}
