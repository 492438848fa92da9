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
	if !again.isSame(last) || again.images.Load() != last.images.Load() || again.resourceVersion != "99" {
		t.Error("a heartbeat is no heartbeat, has a list of its own, or the version before")
	}
	pulled := feedNode(1)
	pulled.Status.Images[3].SizeBytes++
	changed := read(pulled)
	images := func(r *nodeRecord) []*ledger.ListedImage { return *r.images.Load() }
	if changed.isSame(last) || images(changed)[3] == images(last)[3] || images(changed)[4] != images(last)[4] {
		t.Error("an image that has changed is the same, or one that has not is another")
	}
	other := feedNode(2)
	other.Status.Images = feedNode(1).Status.Images
	o := read(other)
	if images(o)[7] != images(last)[7] {
		t.Error("two nodes have two copies of an image's names")
	}
	if o = read(feedNode(25)); o.labels != last.labels || o.row.Hostname != "node-00025" {
		t.Errorf("two nodes have two copies of their labels %v, one of them the name %q", o.labels.labels, o.row.Hostname)
	}
	none := feedNode(1)
	none.Status.Images = nil
	if r := read(none); r.isSame(last) || whole(r).Images != nil {
		t.Error("a list that says nothing is the one before")
	}
	empty := feedNode(1)
	empty.Status.Images = []corev1.ContainerImage{}
	if r := read(empty); whole(r).Images == nil {
		t.Error("an empty list says nothing")
	}
	ready := feedNode(1)
	ready.Status.Conditions[0].Status = corev1.ConditionFalse
	if _, anew := read(ready).handOver(); !anew {
		t.Error("a node changes before the ledger has been told of its images, and it is not told")
	}
	if _, anew := last.handOver(); !anew {
		t.Error("the ledger is not told of a list")
	}
	if _, anew := read(ready).handOver(); anew {
		t.Error("the ledger is told of a list once more")
	}
	made := feedNode(1)
	made.UID = "another"
	if _, anew := read(made).handOver(); !anew {
		t.Error("a node is made again, and the ledger is not told of its images")
	}
}
