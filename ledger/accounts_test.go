// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package ledger_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/imagesize"
	"github.com/headroom-dev/headroom/ledger"
	lt "github.com/headroom-dev/headroom/ledger/ledgertest"
)

// sameRef lets cmp compare references, whose field it can't see.
func sameRef() gocmp.Option { return gocmp.Comparer(func(a, b imageref.Ref) bool { return a == b }) }

// TestAccountsAgree holds the accounts of many nodes against those drawn up one by
// one, which share nothing: in random histories, from random views, twice each. Old
// snapshots must go on giving the answers they gave.
func TestAccountsAgree(t *testing.T) {
	const histories, steps = 60, 300
	for seed := range uint64(histories) {
		h := &history{Rand: rand.New(rand.NewPCG(seed, 3)), now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), uids: map[string]int{}}
		l := ledger.New()
		l.MarkSynced()
		var past []remembered
		for step := range steps {
			e := h.next()
			e.write(l)
			if step%10 != 0 {
				continue
			}
			now := remembered{s: l.Snapshot(), view: h.view(l.Snapshot())}
			now.accounts = oneByOne(now.s, now.view)
			past = append(past, now)
			for _, then := range []remembered{now, past[h.IntN(len(past))]} {
				if diff := gocmp.Diff(then.accounts, together(then.s, then.view), sameRef()); diff != "" {
					t.Fatalf("history %d, step %d: accounts (-one by one +together):\n%s", seed, step, diff)
				}
			}
		}
	}
}

// remembered is a snapshot with its accounts, when it was new.
type remembered struct {
	s        *ledger.Snapshot
	view     ledger.View
	accounts map[string]ledger.Account
}

// view looks at s with the sizes that it tells, by a factor that differs with a label.
func (h *history) view(s *ledger.Snapshot) ledger.View {
	v := ledger.View{Now: h.now, Namespace: fmt.Sprint("ns-", h.IntN(3)), MaxStaleness: time.Minute}
	if h.IntN(2) == 0 {
		v.Pod = h.uid(fmt.Sprint("pod-", h.IntN(8)))
	}
	for range h.IntN(3) {
		v.Images = append(v.Images, twinImages()[h.IntN(6)])
	}
	v.Size = func(row *ledger.NodeRow, ref imageref.Ref, there imagesize.There) imagesize.Size {
		p := imagesize.Platform{OS: row.OS, Architecture: row.Architecture}
		size := s.Evidence(ref, row.Runtime, p).Pull(row.Runtime, twinFactor, there)
		if row.Labels["zone"] == "1" {
			size.Disk = size.Disk.Plus(size.Disk)
		}
		return size
	}
	return v
}

func oneByOne(s *ledger.Snapshot, v ledger.View) map[string]ledger.Account {
	accounts := make(map[string]ledger.Account)
	for row := range s.Nodes() {
		accounts[row.Name] = s.Account(row, v)
	}
	return accounts
}

func together(s *ledger.Snapshot, v ledger.View) map[string]ledger.Account {
	v.SizeClass = func(row *ledger.NodeRow) any { return row.Labels["zone"] }
	shared, accounts := s.Accounts(v), make(map[string]ledger.Account)
	for range 2 {
		for row := range s.Nodes() {
			accounts[row.Name] = shared.Of(row)
		}
	}
	for row := range s.Nodes() {
		for _, ref := range twinImages() {
			want := row.Presence(ref)
			if want == ledger.PresenceUnsure && v.Size(row, ref, imagesize.There{}).Disk.Low > shared.HoldsAtMost(row, ref) {
				want = ledger.Absent
			}
			if shared.Presence(row, ref) != want {
				delete(accounts, row.Name)
			}
		}
		all, disk := accounts[row.Name], shared.Disk(row)
		if disk.EvictionTargetBytes != all.EvictionTargetBytes || disk.InodesFree != all.InodesFree || disk.InodeLine != all.InodeLine ||
			disk.Tier != all.Tier || disk.CapacityBytes != all.CapacityBytes || disk.EvictionLineBytes != all.EvictionLineBytes ||
			disk.GCLineBytes != all.GCLineBytes || disk.Stale != all.Stale || disk.SampleAge != all.SampleAge {
			delete(accounts, row.Name)
		}
	}
	return accounts
}

// TestNodesOfOneKind has nodes that differ in one thing at a time, so that what is
// worked out for one must not be taken for the other.
func TestNodesOfOneKind(t *testing.T) {
	tests := map[string]struct {
		build func(w *lt.World)
		want  map[string]int64 // likely bytes reserved
	}{
		"one may take the pod and one may not": {
			build: func(w *lt.World) {
				w.Node("a", lt.Disk(1000, 900), lt.Label("zone=1"))
				w.Node("b", lt.Disk(1000, 900), lt.Label("zone=2"))
				w.Pod("p", lt.Wants("x"), lt.Selects("zone=1"))
			},
			want: map[string]int64{"a": 100, "b": 0},
		},
		"the pod is planned for one": {
			build: func(w *lt.World) {
				w.Node("a", lt.Disk(1000, 900))
				w.Node("b", lt.Disk(1000, 900))
				w.Pod("p", lt.Wants("x"), lt.Nominated("b"), lt.Unschedulable())
			},
			want: map[string]int64{"a": 0, "b": 100},
		},
		"one has the image": {
			build: func(w *lt.World) {
				w.Node("a", lt.Disk(1000, 900), lt.Lists("x=100"))
				w.Node("b", lt.Disk(1000, 900))
				w.Pod("p", lt.Wants("x"))
			},
			want: map[string]int64{"a": 0, "b": 50},
		},
		"one has the image from a pod, and does not list it": {
			build: func(w *lt.World) {
				w.Node("a", lt.Disk(1000, 900))
				w.Node("b", lt.Disk(1000, 900))
				w.Pod("q", lt.On("a"), lt.Runs(w.Now, "x"))
				w.Pod("p", lt.Wants("x"))
			},
			want: map[string]int64{"a": 0, "b": 50},
		},
		"one is pulling the image": {
			build: func(w *lt.World) {
				w.Node("a", lt.Disk(1000, 900))
				w.Node("b", lt.Disk(1000, 900))
				w.Pod("q", lt.On("b"), lt.Wants("x"))
				w.Pod("p", lt.Wants("x"))
			},
			want: map[string]int64{"a": 50, "b": 0},
		},
		"one has another runtime": {
			build: func(w *lt.World) {
				w.Node("a", lt.Disk(1000, 900), lt.Runtime(imagesize.CRIO))
				w.Node("b", lt.Disk(1000, 900))
				w.Pod("p", lt.Wants("x"))
			},
			want: map[string]int64{"a": 125, "b": 50}, // CRI-O unpacks 2.5 bytes from 1.
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w := lt.New(t)
			test.build(w)
			w.Registry("x", 100)
			v := w.View()
			v.SizeClass = func(*ledger.NodeRow) any { return "all" }
			shared, got := w.Ledger.Snapshot().Accounts(v), map[string]int64{}
			for row := range w.Ledger.Snapshot().Nodes() {
				got[row.Name] = shared.Of(row).Reserved.Likely
			}
			if diff := gocmp.Diff(test.want, got); diff != "" {
				t.Errorf("likely bytes reserved (-want +got):\n%s", diff)
			}
		})
	}
}
