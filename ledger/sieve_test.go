// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"fmt"
	"math/bits"
	"math/rand/v2"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/placement"
)

// A sieve names every node that has an image or a pod that uses it, after any changes, and hardly any other. What another one
// shares with it never changes.
func TestSieve(t *testing.T) {
	const nodes, steps = 64, 400
	r := rand.New(rand.NewPCG(1, 2))
	image := func(i int) imageref.Ref {
		ref, err := imageref.Parse(fmt.Sprint("registry.example/team/app-", i, ":v1"))
		if err != nil {
			t.Fatal(err)
		}
		return ref
	}
	l := New()
	for i := range nodes {
		l.SetNode(Node{Node: placement.Node{Name: fmt.Sprintf("n%02d", i)}, UID: types.UID(fmt.Sprintf("n%02d", i)), Images: []ListedImage{}})
	}
	l.MarkSynced()
	var sieve, before Sieve
	ids, maybe, wrong := [nodes]RowID{}, 0, 0
	for step := range steps {
		name := fmt.Sprintf("n%02d", r.IntN(nodes))
		if r.IntN(2) == 0 {
			n := Node{Node: placement.Node{Name: name}, UID: types.UID(name), Images: []ListedImage{}}
			for range r.IntN(50) {
				n.Images = append(n.Images, ListedImage{Refs: []imageref.Ref{image(r.IntN(500))}, NameCount: 1})
			}
			l.SetNode(n)
		} else {
			l.SetPod(Pod{
				UID: types.UID(fmt.Sprint("p", step)), Namespace: "ns", Name: fmt.Sprint("p", step), NodeName: name,
				Images: []PodImage{{Ref: image(500 + r.IntN(50)), PullPolicy: corev1.PullAlways, Pulled: r.IntN(2) == 0}},
			}, time.Unix(int64(step), 0))
		}
		s := l.Snapshot()
		asked := image(r.IntN(550))
		hash, then := nameHash(s.seed, asked), before.mayHold(nameHash(s.seed, asked))
		sieve = sieve.Shared()
		for i := range ids {
			row, _ := s.Node(fmt.Sprintf("n%02d", i))
			if row.ID() != ids[i] {
				sieve.Put(i, ids[i], row.ID())
				ids[i] = row.ID()
			}
		}
		if before.mayHold(hash) != then {
			t.Fatalf("step %d: a sieve that shares something has changed", step)
		}
		before = sieve
		has := uint64(0)
		for i := range ids {
			if _, listed := ids[i].row.list.find(asked); listed || ids[i].row.facts.of(asked) != (use{}) {
				has |= 1 << i
			}
		}
		held := sieve.mayHold(hash)
		if has&^held != 0 {
			t.Fatalf("step %d: %s is on nodes %x, and the sieve says %x", step, asked, has, held)
		}
		maybe, wrong = maybe+bits.OnesCount64(held), wrong+bits.OnesCount64(held&^has)
	}
	if maybe < steps || wrong > steps/2 {
		t.Errorf("%d times a node was named, %d times wrongly", maybe, wrong)
	}
}
