// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/tools/cache"
)

func TestEventsReachTheLedgerAndTheListeners(t *testing.T) {
	j := &journal{held: []types.UID{"7", "8"}}
	i, err := NewInformers(fake.NewClientset(), j, InformerOptions{Nodes: []NodeListener{j}, Pods: []PodListener{j}})
	if err != nil {
		t.Fatal(err)
	}
	record := func(name, uid, version string) *nodeRecord {
		n := node(name, uid)
		n.ResourceVersion = version
		return recordOf(t, n)
	}
	cordoned := record("a", "1", "2")
	cordoned.row.Unschedulable = true
	must := func(err error) {
		if err != nil {
			t.Error(err)
		}
	}
	for _, step := range []struct {
		name string
		do   func()
		want []string
	}{
		{"a node", func() { i.setNode(record("a", "1", "1")) }, []string{"set node a 1", "heard node a 1"}},
		{"the same node again, at a resync", func() { i.updateNode(record("a", "1", "1"), record("a", "1", "1")) }, []string{"set node a 1", "heard node a 1"}},
		{"a heartbeat", func() { i.updateNode(record("a", "1", "1"), record("a", "1", "2")) }, nil},
		{"a node that is cordoned", func() { i.updateNode(record("a", "1", "1"), cordoned) }, []string{"set node a 1", "heard node a 1"}},
		{
			"a node made again while nobody watched", func() { i.updateNode(record("a", "1", "1"), record("a", "2", "3")) },
			[]string{"delete node a 1", "heard of no node a 1", "set node a 2", "heard node a 2"},
		},
		{"a node deleted", func() { i.deleteNode(record("a", "2", "3")) }, []string{"delete node a 2", "heard of no node a 2"}},
		{
			"a node whose deletion was missed", func() { i.deleteNode(recordIn(cache.DeletedFinalStateUnknown{Key: "b", Obj: record("b", "1", "1")})) },
			[]string{"delete node b 1", "heard of no node b 1"},
		},
		{"a node that was never seen", func() { i.deleteNode(recordIn(cache.DeletedFinalStateUnknown{Key: "x"})) }, nil},
		{"a pod", func() { must(i.podQueue.Add(pod("p", "7"))) }, []string{"set pod p 7", "heard pod p"}},
		{"a pod that changes", func() { must(i.podQueue.Update(pod("p", "7"))) }, []string{"set pod p 7", "heard pod p"}},
		{"a pod deleted", func() { must(i.podQueue.Delete(pod("p", "7"))) }, []string{"delete pod 7", "heard of no pod 7"}},
		{
			"a list in which one pod is another than before, and one is missing", func() { must(i.podQueue.Replace([]any{pod("p", "9")}, "5")) },
			[]string{"set pod p 9", "heard pod p", "delete pod 7", "heard of no pod 7", "delete pod 8", "heard of no pod 8"},
		},
		{
			"a list that has come as a stream", func() {
				uid, err := i.podQueue.Transformer()(pod("q", "8"))
				must(err)
				must(i.podQueue.Replace([]any{uid}, "6"))
			},
			[]string{"set pod q 8", "heard pod q", "delete pod 7", "heard of no pod 7"},
		},
	} {
		step.do()
		if diff := cmp.Diff(step.want, j.take()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", step.name, diff)
		}
	}
	for about, err := range map[string]error{
		"added": i.podQueue.Add(node("a", "1")), "deleted": i.podQueue.Delete(node("a", "1")), "listed": i.podQueue.Replace([]any{"a"}, ""),
	} {
		if err == nil {
			t.Errorf("what is no pod can be %s as one", about)
		}
	}
}
