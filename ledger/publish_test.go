// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package ledger_test

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/headroom-dev/headroom/estimate"
	"github.com/headroom-dev/headroom/imagesize"
	"github.com/headroom-dev/headroom/ledger"
	"github.com/headroom-dev/headroom/placement"
)

func namedNode(name string) ledger.Node {
	return ledger.Node{Node: placement.Node{Name: name, OS: "linux", Architecture: "amd64"}, UID: types.UID(name), Runtime: imagesize.Containerd}
}

func TestABatchIsSeenAllAtOnce(t *testing.T) {
	l, woken, told := ledger.New(), 0, 0
	l.Batch(func() { woken++ }, func() { told++ })
	l.SetNode(namedNode("a"))
	l.MarkSynced()
	first := l.Snapshot()
	if first.Len() != 1 || woken != 0 {
		t.Fatalf("%d nodes and %d calls once synced, want the node and no call", first.Len(), woken)
	}
	for i := range 300 {
		l.SetNode(namedNode(fmt.Sprint("b-", i)))
		l.SetPod(ledger.Pod{UID: types.UID(strconv.Itoa(i)), Namespace: "ns", Name: fmt.Sprint("waits-", i)}, start)
		l.SetPod(ledger.Pod{UID: types.UID(fmt.Sprint("on-", i)), Namespace: "ns", Name: fmt.Sprint("on-", i), NodeName: "a"}, start)
	}
	l.DeletePod("7", start)
	l.DeleteNode("b-7", "b-7")
	if l.Snapshot() != first || woken != 1 {
		t.Errorf("before it is published, another snapshot is there, or %d calls instead of one", woken)
	}
	if nodes := l.Publish(); nodes != 300 {
		t.Errorf("a batch of %d nodes, want 300: those that are there at its end", nodes)
	}
	s := l.Snapshot()
	row, _ := s.Node("a")
	on, waiting := 0, 0
	for range row.Pods() {
		on++
	}
	for range s.UnboundPods() {
		waiting++
	}
	if _, found := s.Node("b-7"); s.Len() != 300 || on != 300 || waiting != 299 || found {
		t.Errorf("%d nodes, %d pods on one, %d that wait, the deleted node is there: %v", s.Len(), on, waiting, found)
	}
	if s.Generation() <= first.Generation() {
		t.Errorf("generation %d after %d", s.Generation(), first.Generation())
	}
	if nodes := l.Publish(); nodes != 0 {
		t.Errorf("a batch of %d nodes with nothing new", nodes)
	}
	if l.Snapshot() != s {
		t.Error("with nothing new, another snapshot is there")
	}
	sample := func(seconds int) {
		at := start.Add(time.Duration(seconds) * time.Second)
		l.SetMeasurement("a", ledger.Measurement{CapacityBytes: 10, AvailableBytes: 5, SampledAt: at, ReceivedAt: at})
	}
	if sample(0); woken != 2 || told != 0 {
		t.Errorf("%d calls and %d for later after a node's first sample, want 2 and none", woken, told)
	}
	l.Publish()
	sample(1)
	if sample(2); woken != 2 || told != 1 {
		t.Errorf("%d calls and %d for later after two more, want no more calls and one for later", woken, told)
	}
	l.SetNode(namedNode("c"))
	if sample(3); woken != 3 || told != 1 {
		t.Errorf("%d calls and %d for later once a node has come, too, want one call more", woken, told)
	}
}

// What somebody waits for, such as an answer of a registry, is seen at once, and takes along what waits.
func TestSomeWritesDoNotWait(t *testing.T) {
	l := ledger.New()
	l.Batch(func() {}, func() {})
	l.MarkSynced()
	l.SetNode(namedNode("a"))
	l.SetPulled(mustParse("app:1"), imagesize.Containerd, linux, 7)
	s := l.Snapshot()
	if _, found := s.Node("a"); !found || s.Evidence(mustParse("app:1"), imagesize.Containerd, linux).Pulled != estimate.Exactly(7) {
		t.Error("the size of an image is not seen at once, or without the node that came before")
	}
}

// What a snapshot shows stays as it is whatever is written into the next one, and the one after.
func TestASnapshotDoesNotChangeUnderABatch(t *testing.T) {
	l := ledger.New()
	l.Batch(func() {}, func() {})
	l.SetNode(namedNode("a"))
	l.MarkSynced()
	waits := func(i int) ledger.Pod {
		return ledger.Pod{UID: types.UID(strconv.Itoa(i)), Namespace: "ns", Name: strconv.Itoa(i)}
	}
	for i := range 600 {
		l.SetPod(waits(i), start)
	}
	l.Publish()
	before := l.Snapshot()
	_, text := again(t, before)
	for i := range 600 {
		if i%3 == 0 {
			l.DeletePod(types.UID(strconv.Itoa(i)), start)
		} else {
			bound := waits(i)
			bound.NodeName = "a"
			l.SetPod(bound, start)
		}
		l.SetPod(waits(1000+i), start)
	}
	l.Publish()
	if _, after := again(t, before); after != text {
		t.Error("a snapshot has changed after it was published")
	}
	if _, now := again(t, l.Snapshot()); now == text {
		t.Error("nothing has changed in the next one")
	}
}
