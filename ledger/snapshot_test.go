// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package ledger_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/headroom-dev/headroom/ledger"
	lt "github.com/headroom-dev/headroom/ledger/ledgertest"
)

func TestUnboundPodsAreThoseThatWait(t *testing.T) {
	w := lt.New(t)
	w.Node("a")
	w.Pod("q", lt.Wants("x"))
	w.Pod("p", lt.Wants("x"))
	w.Pod("r", lt.Wants("x"), lt.In("other"))
	w.Pod("s", lt.Wants("x"), lt.On("a"))
	w.Pod("t", lt.Wants("x"), lt.Deleting())
	var got []string
	for pod := range w.Ledger.Snapshot().UnboundPods() {
		got = append(got, pod.Namespace+"/"+pod.Name)
	}
	if diff := cmp.Diff([]string{"other/r", "team/p", "team/q"}, got); diff != "" {
		t.Errorf("unbound pods (-want +got):\n%s", diff)
	}
	if _, found := w.Ledger.Snapshot().UnboundPod("s"); found {
		t.Error("a bound pod waits")
	}
	w.Pod("u", lt.Wants("x"))
	w.Pod("u", lt.Wants("x"), lt.On("a"))
	// The informer may tell of a new pod before it tells that the old one of that name is gone.
	w.Ledger.SetPod(ledger.Pod{UID: "old", Namespace: "team", Name: "v"}, w.Now)
	w.Pod("v", lt.Wants("x"))
	w.Ledger.DeletePod("old", w.Now)
	for name, want := range map[string]bool{"p": true, "r": false, "s": false, "t": false, "u": false, "v": true} {
		if pod, found := w.Ledger.Snapshot().UnboundPodNamed("team", name); found != want || found && pod.Name != name {
			t.Errorf("pod team/%s waits: %v, want %v", name, found, want)
		}
	}
	late := lt.Unsynced(t)
	late.Pod("p", lt.Wants("x"))
	late.Ledger.MarkSynced()
	if _, found := late.Ledger.Snapshot().UnboundPodNamed("team", "p"); !found {
		t.Error("a pod of the first list is not found by its name")
	}
}

// Every node is met once, wherever one begins, and neighbours are apart.
func TestScattered(t *testing.T) {
	for _, n := range []int{0, 1, 2, 3, 10, 100, 1000} {
		w := lt.New(t)
		for i := range n {
			w.Node(fmt.Sprint("n", i))
		}
		for _, seed := range []uint64{0, 1, uint64(n), math.MaxUint64} {
			met := map[string]bool{}
			for row := range w.Ledger.Snapshot().Scattered(seed) {
				met[row.Name] = true
			}
			if len(met) != n {
				t.Errorf("%d nodes from %d: %d of them met", n, seed, len(met))
			}
		}
	}
	w := lt.New(t)
	for i := range 1000 {
		w.Node(fmt.Sprintf("n%03d", i))
	}
	pools := map[byte]bool{}
	for row := range w.Ledger.Snapshot().Scattered(7) {
		if pools[row.Name[1]] = true; len(pools) == 10 {
			break
		}
	}
	seen := 0
	for row := range w.Ledger.Snapshot().Scattered(7) {
		if seen++; seen == 50 {
			break
		}
		delete(pools, row.Name[1])
	}
	if len(pools) > 0 {
		t.Errorf("50 of 1000 nodes leave out pools: %v", pools)
	}
}
