// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package synthapi

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/kubernetes"

	"github.com/headroom-dev/headroom/controller"
	"github.com/headroom-dev/headroom/ledger"
)

// TestALedgerHoldsWhatThereIs has Headroom's informers watch random changes through lists that break off, watches that end and
// versions that have expired, from their first list on. What they have written at the end is what there is.
func TestALedgerHoldsWhatThereIs(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			streaming(t, seed%3 != 2)
			random := rand.New(rand.NewPCG(seed, 1))
			o := smallFleet()
			o.Fleet.Seed, o.History = seed, 300
			o.BookmarkInterval = 5 * time.Millisecond
			s := start(t, o)
			for _, resource := range []string{Nodes, Pods} {
				s.SetFaults(resource, Faults{
					Seed: seed, CloseEvery: 60 * random.IntN(3), BreakEvery: 60 * random.IntN(3), ExpireEvery: 60 * random.IntN(3),
					RepeatEvery: random.IntN(10), BreakListEvery: 2, BytesPerSecond: 10 << 20,
				})
			}
			l := feed(t, s)
			disturb(s, seed, random)
			want := known(listed(t, clientOf(t, s, true)))
			for deadline := time.Now().Add(time.Minute); !cmp.Equal(want, held(l)); time.Sleep(20 * time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatalf("the ledger does not come to hold what is listed (-list +ledger):\n%s", cmp.Diff(want, held(l)))
				}
			}
		})
	}
}

// feed runs Headroom's informers until the test ends.
func feed(t *testing.T, s *Server) *ledger.Ledger {
	t.Helper()
	config := controller.ProtobufConfig(s.RESTConfig())
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	lean, err := controller.LeanClient(client, config)
	if err != nil {
		t.Fatal(err)
	}
	l := ledger.New()
	informers, err := controller.NewInformers(lean, l, controller.InformerOptions{SyncTimeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- informers.Start(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return l
}

// known is what a ledger knows of a state: the UIDs, and where pods are.
func known(s state) map[string]string {
	all := map[string]string{}
	for name, n := range s.Nodes {
		all[name] = string(n.UID)
	}
	for key, p := range s.Pods {
		all[key] = string(p.UID) + " on " + p.Spec.NodeName
	}
	return all
}

func held(l *ledger.Ledger) map[string]string {
	all := map[string]string{}
	for row := range l.Snapshot().Nodes() {
		all[row.Name] = string(row.UID)
	}
	for p := range l.HeldPods() {
		all[keyOf(p.Row.Namespace, p.Name())] = string(p.UID()) + " on " + p.NodeName
	}
	return all
}
