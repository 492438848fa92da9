// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"encoding/binary"
	"hash/maphash"
	"math/rand/v2"
	"slices"
	"testing"
)

// A history of pods that come and go, beside a map: the index grows, is nearly full, and empties.
func TestTheIndexOfParkedPodsFollowsThem(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	x, pods := newParkedIndex(maphash.MakeSeed()), map[shortUID]uint32{}
	uidOf := func(i int) (uid shortUID) {
		binary.BigEndian.PutUint64(uid[:], uint64(i))
		return uid
	}
	const different = 2000
	most := 0
	for step := range 50_000 {
		uid := uidOf(random.IntN(different))
		node, there := pods[uid]
		switch growing := step/5000%2 == 0; {
		case !there && (growing || random.IntN(4) == 0):
			pods[uid] = random.Uint32N(20)
			x.add(uid, pods[uid])
		case there && (!growing || random.IntN(4) == 0):
			delete(pods, uid)
			x.remove(uid, node)
		}
		most = max(most, len(pods))
		if x.count != len(pods) {
			t.Fatalf("step %d: %d pods, want %d", step, x.count, len(pods))
		}
		if step%500 != 0 {
			continue
		}
		for i := range different {
			uid := uidOf(i)
			found := slices.Collect(x.nodes(uid))
			if node, there := pods[uid]; there && !slices.Contains(found, node) {
				t.Fatalf("step %d: pod %d is on node %d, and is looked for on %v", step, i, node, found)
			}
			if _, there := pods[uid]; !there && len(found) > 0 {
				t.Fatalf("step %d: pod %d is gone, and is looked for on %v", step, i, found)
			}
		}
	}
	if most < different/2 || len(x.places) > 3*most {
		t.Errorf("%d places for at most %d pods", len(x.places), most)
	}
}

// Two pods may have one hash: the one that goes must not take the other with it.
func TestPodsOfOneHashInTheIndexOfParkedPods(t *testing.T) {
	x := newParkedIndex(maphash.MakeSeed())
	uid := shortUID{1}
	x.add(uid, 3)
	x.add(uid, 7)
	x.remove(uid, 3)
	if found := slices.Collect(x.nodes(uid)); !slices.Equal(found, []uint32{7}) {
		t.Errorf("looked for on %v, want 7", found)
	}
	x.remove(uid, 3)
	if x.count != 1 {
		t.Errorf("%d pods, want 1", x.count)
	}
}
