// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package ledger_test

import (
	"fmt"
	"math/bits"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/headroom-dev/headroom/ledger"
)

// follower follows what is reserved on the nodes of a history from one snapshot to the next.
type follower struct {
	before *ledger.Snapshot
	nodes  ledger.Neighbours // by the number in their names
	sieve  ledger.Sieve
	until  [64]time.Time // when what is known of a node may end to hold, though nothing is written
	// followed counts the nodes asked about, changed those with another sum, and anew those to be added up anew.
	followed, changed, anew int
}

// step compares with what is added up anew.
func (f *follower) step(s *ledger.Snapshot, v ledger.View) error {
	accounts := s.Accounts(v)
	var change *ledger.ReservedChange
	resized := s.ResizedSince(f.before)
	if !resized.All() {
		change = accounts.ReservedSince(f.before, &resized)
	}
	next, kinds := f.nodes, map[string]uint64{}
	for row := range s.Nodes() {
		at := int(row.Name[len(row.Name)-1] - '0')
		next.Rows[at], next.Reserved[at] = row.ID(), accounts.Reserved(row)
		if got, want := next.Reserved[at].Bytes(), s.Account(row, v).Reserved; got != want {
			return fmt.Errorf("%s has %+v reserved, want %+v", row.Name, got, want)
		}
		concerned := f.sieve.MayHold(&resized)&(1<<at) != 0
		f.sieve = f.sieve.Shared()
		f.sieve.Put(at, f.nodes.Rows[at], row.ID())
		holds := f.until[at].IsZero() || v.Now.Before(f.until[at])
		if account := accounts.Disk(row); !concerned && f.nodes.Rows[at] == row.ID() && holds && account.Tier != ledger.NoTier {
			kinds[fmt.Sprint(row.Runtime, row.OS, row.Architecture, row.Labels["zone"])] |= 1 << at
		}
		f.until[at] = accounts.StandsUntil(row)
	}
	if change != nil {
		for _, set := range kinds {
			if err := f.follow(change, set, &next); err != nil {
				return err
			}
		}
	}
	f.before, f.nodes = s, next
	return nil
}

func (f *follower) follow(change *ledger.ReservedChange, set uint64, want *ledger.Neighbours) error {
	n := f.nodes
	n.Set, n.Sieve = set, &f.sieve
	anew := change.Follow(&n)
	f.anew += bits.OnesCount64(anew)
	for left := set &^ anew; left != 0; left &= left - 1 {
		at := bits.TrailingZeros64(left)
		if n.Reserved[at] != want.Reserved[at] {
			return fmt.Errorf("node %d had %+v reserved, then follows %+v, want %+v", at, f.nodes.Reserved[at], n.Reserved[at], want.Reserved[at])
		}
		f.followed++
		if n.Reserved[at] != f.nodes.Reserved[at] {
			f.changed++
		}
	}
	return nil
}

// What is reserved is the same, whether it is added up anew or follows what has come and gone, from one snapshot to the next.
func TestReservedFollowsWhatWaits(t *testing.T) {
	const histories, steps = 150, 200
	followed, changed, anew := 0, 0, 0
	for seed := range uint64(histories) {
		h := &history{Rand: rand.New(rand.NewPCG(seed, 11)), now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), uids: map[string]int{}}
		l := ledger.New()
		l.MarkSynced()
		f := &follower{before: l.Snapshot()}
		for step := range steps {
			for range 1 + h.IntN(3) {
				e := h.next()
				e.write(l)
			}
			v := h.view(l.Snapshot())
			v.Namespace, v.Pod, v.Images = ledger.Nobody, "", nil
			v.SizeClass = func(row *ledger.NodeRow) any { return row.Labels["zone"] }
			if err := f.step(l.Snapshot(), v); err != nil {
				t.Fatalf("history %d, step %d: %v", seed, step, err)
			}
		}
		followed, changed, anew = followed+f.followed, changed+f.changed, anew+f.anew
	}
	if followed < 5000 || changed < 500 || anew == 0 {
		t.Errorf("%d nodes followed, %d of them have another sum, and %d had to be added up anew", followed, changed, anew)
	}
}
