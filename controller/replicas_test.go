// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/headroom-dev/headroom/ledger"
)

func replicaRow(uid, name string) ledger.Pod {
	return ledger.Pod{UID: types.UID(uid), Namespace: "headroom-system", Name: name, NodeName: "n"}
}

func TestReplicasKnowTheirPlace(t *testing.T) {
	row := replicaRow
	other := func(change func(*ledger.Pod)) ledger.Pod {
		pod := row("4", "headroom-6b5f8d9c7-ddddd")
		change(&pod)
		return pod
	}
	r := newReplicas("headroom-system", "headroom-6b5f8d9c7-bbbbb")
	for _, step := range []struct {
		name         string
		set          ledger.Pod
		remove       types.UID
		index, count int
	}{
		{"another before oneself is known", row("1", "headroom-6b5f8d9c7-ccccc"), "", 0, 1},
		{"oneself", row("2", "headroom-6b5f8d9c7-bbbbb"), "", 0, 2},
		{"one of the version before", row("3", "headroom-5d4c6b7f8-aaaaa"), "", 1, 3},
		{"one of another namespace", other(func(p *ledger.Pod) { p.Namespace = "default" }), "", 1, 3},
		{"one of another Deployment", other(func(p *ledger.Pod) { p.Name = "debug-6b5f8d9c7-ddddd" }), "", 1, 3},
		{"one that is not bound", other(func(p *ledger.Pod) { p.NodeName = "" }), "", 1, 3},
		{"one that has failed", other(func(p *ledger.Pod) { p.Finished = true }), "", 1, 3},
		{"one that comes first", row("5", "headroom-4c3b5a6e7-zzzzz"), "", 2, 4},
		{"that one again", row("5", "headroom-4c3b5a6e7-zzzzz"), "", 2, 4},
		{"that one ends", ledger.Pod{UID: "5", Namespace: "headroom-system", Name: "headroom-4c3b5a6e7-zzzzz", NodeName: "n", Deleting: true}, "", 1, 3},
		{"and is gone", ledger.Pod{}, "5", 1, 3},
		{"oneself is gone", ledger.Pod{}, "2", 0, 1},
	} {
		if step.remove != "" {
			r.remove(step.remove)
		} else {
			r.set(step.set)
		}
		if index, count := r.place(); index != step.index || count != step.count {
			t.Errorf("%s: %d of %d, want %d of %d", step.name, index, count, step.index, step.count)
		}
	}
	for _, self := range []string{"", "laptop", "my-laptop"} {
		alone := newReplicas("headroom-system", self)
		alone.set(row("1", "laptop"))
		alone.set(row("2", "my-laptop"))
		if index, count := alone.place(); index != 0 || count != 1 {
			t.Errorf("%q, which is no pod: %d of %d", self, index, count)
		}
	}
}

func TestReplicasAskOneNodeInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const replicas, nodes = 3, 50
		f := newFakeKubelets()
		f.takes = 100 * time.Millisecond
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		for i := range replicas {
			p := NewPoller(f, newSamples(), PollerOptions{Namespace: "headroom-system", Pod: fmt.Sprintf("headroom-6b5f8d9c7-%d", i)})
			for i := range replicas {
				p.PodSet(replicaRow(strconv.Itoa(i), fmt.Sprintf("headroom-6b5f8d9c7-%d", i)))
			}
			for i := range nodes {
				p.NodeSet(linuxNode(fmt.Sprintf("node-%d", i), "1", "boot"), readyRow)
			}
			running.Go(func() { _ = p.Start(ctx) })
		}
		after(time.Minute) // The first polls come when they come.
		for i := range nodes {
			f.times(fmt.Sprintf("node-%d", i))
		}
		after(2 * time.Minute)
		cancel()
		running.Wait()
		for i := range nodes {
			at := f.times(fmt.Sprintf("node-%d", i))
			slices.Sort(at)
			if len(at) < 3*replicas {
				t.Errorf("node %d was asked at %v", i, at)
			}
			for k := 1; k < len(at); k++ {
				if gap := at[k] - at[k-1]; gap < 9 || gap > 11 {
					t.Errorf("node %d was asked at %v: not every 10 seconds by one of three replicas", i, at)
				}
			}
		}
	})
}
