// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/headroom-dev/headroom/ledger"
)

// TestAStreamedListIsInTheLedgerOnceItHasEnded: also what changed or went while it came.
func TestAStreamedListIsInTheLedgerOnceItHasEnded(t *testing.T) {
	onNode := func(i int) *corev1.Pod {
		p := replicaOf(1, i)
		p.Spec.NodeName = "node-00000"
		return p
	}
	finished := onNode(2)
	finished.Status.Phase = corev1.PodSucceeded
	server := &feedServer{
		nodes: 2, node: func(i int) runtime.Object { return feedNode(i) },
		pods: 5, pod: func(i int) runtime.Object { return onNode(i) },
		podsToo: [][]byte{frame("DELETED", onNode(1)), frame("MODIFIED", finished), frame("ADDED", onNode(7))},
	}
	l := ledger.New()
	j := &journal{}
	i, err := NewInformers(server.client(t), l, InformerOptions{SyncTimeout: time.Minute, Pods: []PodListener{j}, Nodes: []NodeListener{j}})
	if err != nil {
		t.Fatal(err)
	}
	start(t, i.Start)
	wait(t, func() bool { return l.Snapshot().Synced() })
	row, found := l.Snapshot().Node("node-00000")
	if listed, _ := row.ImagesListed(); !found || listed != 50 {
		t.Fatalf("the node is there: %v, with %d images", found, listed)
	}
	done := map[string]bool{}
	for p := range row.Pods() {
		done[p.Name] = p.Finished
	}
	want := map[string]bool{}
	for _, i := range []int{0, 2, 3, 4, 7} {
		want[fmt.Sprintf("service-1-0000000001-%05d", i)] = i == 2
	}
	if diff := cmp.Diff(want, done); diff != "" {
		t.Errorf("pods, and whether they are done (-want +got):\n%s", diff)
	}
	if lines := j.take(); !slices.Contains(lines, "heard of no pod "+string(onNode(1).UID)) || slices.Contains(lines, "heard of no pod "+string(onNode(0).UID)) {
		t.Errorf("of a pod that went while the list came, listeners heard: %q", lines)
	}
	workloads := i.Workloads("")
	if len(workloads) != 1 || workloads[0].Pods != 4 || !maps.Equal(workloads[0].Nodes, map[string]bool{"node-00000": true}) {
		t.Errorf("workloads: %+v, want one of four pods", workloads)
	}
}

// An image list that changes in one entry shares the others with what was there before, and with other nodes.
func TestNodesShareTheirImages(t *testing.T) {
	var last *nodeRecord
	f := newNodeFeed(func(name string) *nodeRecord {
		if last != nil && last.row.Name == name {
			return last
		}
		return nil
	})
	read := func(n *corev1.Node) *nodeRecord {
		object, err := f.transform(n)
		if err != nil {
			t.Fatal(err)
		}
		return recordIn(object)
	}
	last = read(feedNode(1))
	beat := feedNode(1)
	beat.ResourceVersion = "99"
	beat.Status.Conditions[0].LastHeartbeatTime.Time = t1
	again := read(beat)
	if !again.isSame(last) || &again.images[0] != &last.images[0] || again.resourceVersion != "99" {
		t.Error("a heartbeat is no heartbeat, has a list of its own, or the version before")
	}
	pulled := feedNode(1)
	pulled.Status.Images[3].SizeBytes++
	changed := read(pulled)
	if changed.isSame(last) || changed.images[3] == last.images[3] || changed.images[4] != last.images[4] {
		t.Error("an image that has changed is the same, or one that has not is another")
	}
	other := feedNode(2)
	other.Status.Images = feedNode(1).Status.Images
	if o := read(other); o.images[7] != last.images[7] {
		t.Error("two nodes have two copies of an image's names")
	}
	none := feedNode(1)
	none.Status.Images = nil
	if r := read(none); r.isSame(last) || r.whole().Images != nil {
		t.Error("a list that says nothing is the one before")
	}
	empty := feedNode(1)
	empty.Status.Images = []corev1.ContainerImage{}
	if r := read(empty); r.whole().Images == nil {
		t.Error("an empty list says nothing")
	}
}
