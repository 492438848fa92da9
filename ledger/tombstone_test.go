// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"testing"

	"k8s.io/apimachinery/pkg/types"
)

func TestTombstonesForgetTheOldestFirst(t *testing.T) {
	dead := newTombstones(2)
	dead.bury("")
	dead.bury("a")
	dead.bury("b")
	dead.bury("a")
	dead.bury("c")
	for uid, want := range map[types.UID]bool{"": false, "a": false, "b": true, "c": true} {
		if got := dead.has(uid); got != want {
			t.Errorf("%q is dead: %v, want %v", uid, got, want)
		}
	}
	if len(dead.ring) != 2 || len(dead.dead) != 2 {
		t.Errorf("%d and %d are kept, want 2", len(dead.ring), len(dead.dead))
	}
}
