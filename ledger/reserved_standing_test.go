// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package ledger_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/headroom-dev/headroom/ledger"
)

// reservedThen is what was reserved on a node, and how long that holds if nothing is written.
type reservedThen struct {
	id       ledger.RowID
	reserved ledger.Reserved
	until    time.Time
}

// What is reserved is the same, whether it is added up anew or follows what has come and gone, from one snapshot to the next.
func TestReservedFollowsWhatWaits(t *testing.T) {
	const histories, steps = 120, 200
	followed, changed, anew := 0, 0, 0
	for seed := range uint64(histories) {
		h := &history{Rand: rand.New(rand.NewPCG(seed, 11)), now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), uids: map[string]int{}}
		l := ledger.New()
		l.MarkSynced()
		before, then := l.Snapshot(), map[string]reservedThen{}
		for step := range steps {
			for range 1 + h.IntN(3) {
				e := h.next()
				e.write(l)
			}
			s := l.Snapshot()
			v := h.view(s)
			v.Namespace, v.Pod, v.Images = ledger.Nobody, "", nil
			v.SizeClass = func(row *ledger.NodeRow) any { return row.Labels["zone"] }
			accounts := s.Accounts(v)
			var change *ledger.ReservedChange
			if s.SameSizes(before) {
				change = accounts.ReservedSince(before)
			}
			now := map[string]reservedThen{}
			for row := range s.Nodes() {
				reserved := accounts.Reserved(row)
				if got, want := reserved.Bytes(), s.Account(row, v).Reserved; got != want {
					t.Fatalf("history %d, step %d: %s has %+v reserved, want %+v", seed, step, row.Name, got, want)
				}
				now[row.Name] = reservedThen{row.ID(), reserved, accounts.StandsUntil(row)}
				was, known := then[row.Name]
				if account := accounts.Disk(row); account.Tier == ledger.NoTier {
					continue
				}
				if change == nil || !known || was.id != row.ID() || !was.until.IsZero() && !h.now.Before(was.until) {
					continue
				}
				got, known := change.Of(row, was.reserved)
				if !known {
					anew++
					continue
				}
				if got != reserved {
					t.Fatalf("history %d, step %d: %s had %+v reserved, then follows %+v, want %+v", seed, step, row.Name, was.reserved, got, reserved)
				}
				followed++
				if was.reserved != reserved {
					changed++
				}
			}
			before, then = s, now
		}
	}
	if followed < 5000 || changed < 500 || anew == 0 {
		t.Errorf("%d nodes followed, %d of them had another sum, and %d had to be added up anew", followed, changed, anew)
	}
}
