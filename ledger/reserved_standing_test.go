// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package ledger_test

import (
	"fmt"
	"math/bits"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/ledger"
)

// follower follows what is reserved on the nodes of a history from one snapshot to the next.
type follower struct {
	before *ledger.Snapshot
	nodes  ledger.Neighbours // by the number in their names
	sieve  ledger.Sieve
	until  [64]time.Time // when what is known of a node may end to hold, though nothing is written
	// images are those that ReservedWithout is asked about.
	images []imageref.Ref
	// followed counts the nodes asked about, changed those with another sum, and anew those to be added up anew.
	followed, changed, anew int
	// taken counts the nodes on which less is reserved without the images.
	taken int
}

// step compares with what is added up anew.
func (f *follower) step(s *ledger.Snapshot, v ledger.View) error {
	accounts := s.Accounts(v)
	var change *ledger.ReservedChange
	resized := s.ResizedSince(f.before)
	if !resized.All() {
		change = accounts.ReservedSince(f.before, &resized)
	}
	next, kinds, all := f.nodes, map[string]uint64{}, map[string]uint64{}
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
		if accounts.Disk(row).Tier != ledger.NoTier {
			kind := fmt.Sprint(row.Runtime, row.OS, row.Architecture, row.Labels["zone"])
			all[kind] |= 1 << at
			if !concerned && f.nodes.Rows[at] == row.ID() && holds {
				kinds[kind] |= 1 << at
			}
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
	for _, set := range all {
		if err := f.takeOut(s, v, set, next); err != nil {
			return err
		}
	}
	f.before, f.nodes = s, next
	return nil
}

// takeOut compares what is left of what is reserved without the images with what others are said to have reserved.
func (f *follower) takeOut(s *ledger.Snapshot, v ledger.View, set uint64, n ledger.Neighbours) error {
	var images []imageref.Image
	for _, ref := range f.images {
		images = append(images, imageref.Image{Ref: ref})
	}
	change := s.Accounts(v).ReservedWithout(images)
	if change == nil {
		return nil
	}
	v.Images = f.images
	others, whole := s.Accounts(v), n.Reserved
	n.Set, n.Sieve = set, &f.sieve
	anew := change.Follow(&n)
	for left := set; left != 0; left &= left - 1 {
		at := bits.TrailingZeros64(left)
		row := s.Row(n.Rows[at])
		want := others.Reserved(&row)
		if got, account := want.Bytes(), s.Account(&row, v).Reserved; got != account {
			return fmt.Errorf("node %d has %+v reserved by others than want %v, want %+v", at, got, f.images, account)
		}
		if anew&(1<<at) != 0 {
			continue
		}
		if n.Reserved[at] != want {
			return fmt.Errorf("node %d had %+v reserved, and has %+v without %v, want %+v", at, whole[at], n.Reserved[at], f.images, want)
		}
		if want != whole[at] {
			f.taken++
		}
	}
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

func distinct(refs []imageref.Ref) []imageref.Ref {
	var all []imageref.Ref
	for _, ref := range refs {
		if !slices.Contains(all, ref) {
			all = append(all, ref)
		}
	}
	return all
}

// What is reserved is the same, whether it is added up anew or follows what has come and gone, from one snapshot to the next.
func TestReservedFollowsWhatWaits(t *testing.T) {
	const histories, steps = 150, 200
	followed, changed, anew, taken := 0, 0, 0, 0
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
			f.images = distinct(v.Images)
			v.Namespace, v.Pod, v.Images = ledger.Nobody, "", nil
			v.SizeClass = func(row *ledger.NodeRow) any { return row.Labels["zone"] }
			if err := f.step(l.Snapshot(), v); err != nil {
				t.Fatalf("history %d, step %d: %v", seed, step, err)
			}
		}
		followed, changed, anew, taken = followed+f.followed, changed+f.changed, anew+f.anew, taken+f.taken
	}
	if followed < 5000 || changed < 500 || anew == 0 || taken < 500 {
		t.Errorf("%d nodes followed, %d of them have another sum, %d had to be added up anew, and %d had less without some images", followed, changed, anew, taken)
	}
}
