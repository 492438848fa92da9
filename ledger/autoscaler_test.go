// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package ledger_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/headroom-dev/headroom/ledger"
)

func TestAutoscalerGroups(t *testing.T) {
	for what, c := range map[string]struct {
		groups       []ledger.NodeGroup
		unseen, full bool
	}{
		"none is told of":                   {nil, true, false},
		"one with room":                     {[]ledger.NodeGroup{{"a", 1, 3}}, false, false},
		"one without room":                  {[]ledger.NodeGroup{{"a", 3, 3}}, false, true},
		"one that has more than it may":     {[]ledger.NodeGroup{{"a", 4, 3}}, false, true},
		"one that nobody has seen":          {[]ledger.NodeGroup{{"a", 0, 3}}, true, false},
		"one that may not have any":         {[]ledger.NodeGroup{{"a", 0, 0}}, false, true},
		"full ones and one not seen":        {[]ledger.NodeGroup{{"a", 3, 3}, {"b", 0, 1}}, true, false},
		"full ones and one that may have 0": {[]ledger.NodeGroup{{"a", 3, 3}, {"b", 0, 0}}, false, true},
	} {
		t.Run(what, func(t *testing.T) {
			a := ledger.Autoscaler{Present: true, Groups: c.groups}
			if a.Unseen() != c.unseen || a.Full() != c.full {
				t.Errorf("unseen %v, full %v", a.Unseen(), a.Full())
			}
		})
	}
}

func TestNoAutoscalerAddsNothing(t *testing.T) {
	if none := (ledger.Autoscaler{}); none.Unseen() || none.Full() {
		t.Errorf("unseen %v, full %v", none.Unseen(), none.Full())
	}
}

// An autoscaler writes its status every ten seconds: what says the same makes no
// new snapshot.
func TestSetAutoscaler(t *testing.T) {
	l := ledger.New()
	told := ledger.Autoscaler{Present: true, Groups: []ledger.NodeGroup{{Name: "a", Nodes: 1, MaxNodes: 2}}}
	l.SetAutoscaler(told)
	if l.Snapshot().Autoscaler().Present {
		t.Error("it is seen before the first lists are in")
	}
	l.MarkSynced()
	s := l.Snapshot()
	if diff := cmp.Diff(told, s.Autoscaler()); diff != "" {
		t.Errorf("(-written +read)\n%s", diff)
	}
	l.SetAutoscaler(ledger.Autoscaler{Present: true, Groups: []ledger.NodeGroup{{Name: "a", Nodes: 1, MaxNodes: 2}}})
	if l.Snapshot() != s {
		t.Error("the same makes a new snapshot")
	}
	l.SetAutoscaler(ledger.Autoscaler{})
	if !s.Autoscaler().Present || l.Snapshot().Autoscaler().Present || l.Snapshot().Generation() <= s.Generation() {
		t.Error("that it is gone is not seen in the next snapshot alone")
	}
}
