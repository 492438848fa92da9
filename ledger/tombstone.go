// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package ledger

import "k8s.io/apimachinery/pkg/types"

// tombstoneLimit bounds the memory of the dead: 32768 UIDs are some megabytes,
// and many minutes of the deletions of a large cluster. An event that is later
// than that is not recognised.
const tombstoneLimit = 32768

// tombstones remember the UIDs of what has been deleted, the last ones first
// come first out. An empty UID is never dead.
type tombstones struct {
	limit int
	dead  map[types.UID]struct{}
	ring  []types.UID
	next  int
}

func newTombstones(limit int) *tombstones {
	return &tombstones{limit: limit, dead: make(map[types.UID]struct{})}
}

func (t *tombstones) bury(uid types.UID) {
	if uid == "" || t.has(uid) {
		return
	}
	if len(t.ring) < t.limit {
		t.ring = append(t.ring, uid)
	} else {
		delete(t.dead, t.ring[t.next])
		t.ring[t.next] = uid
		t.next = (t.next + 1) % t.limit
	}
	t.dead[uid] = struct{}{}
}

func (t *tombstones) has(uid types.UID) bool {
	_, found := t.dead[uid]
	return found
}
