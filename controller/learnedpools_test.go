// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"strconv"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/headroom-dev/headroom/estimate"
	"github.com/headroom-dev/headroom/imagesize"
)

func TestLearnerCountsTheNodesOfAPool(t *testing.T) {
	s := newSchool(t)
	s.predictions[mustRef(t, "app:1")] = Prediction{
		Source: imagesize.SourceLayers, Layered: true, BlobBytes: 100 * mebibyte, Unpacked: estimate.Exactly(250 * mebibyte),
	}
	layers(s.Ledger, mustRef(t, "app:1"), imagesize.Platform{OS: "linux", Architecture: "amd64"}, true)
	for i := range 3 {
		s.pull(strconv.Itoa(i), "app:1", 251*mebibyte)
	}
	s.wrote("alone", "learned gpu containerd: 1", "learned gpu containerd: 2", "learned gpu containerd: 3 kept 0.0")

	s.node("m", "gpu")
	s.sampleOn("m", 0)
	s.wrote("another node joins", "learned gpu containerd: 3 kept 0.0?")
	s.pull("3", "app:1", 251*mebibyte)
	s.wrote("the first one says so again", "learned gpu containerd: 4 kept 0.0?")
	s.pullOn("m", "4", "app:1", 251*mebibyte)
	s.wrote("the other one says the same", "learned gpu containerd: 5 kept 0.0")

	s.node("o", "cpu")
	s.sampleOn("o", 0)
	s.wrote("a node of another pool")
	s.node("o", "gpu")
	s.sampleOn("o", 0)
	s.wrote("which moves here", "learned gpu containerd: 5 kept 0.0?")
	s.node("o", "cpu")
	s.sampleOn("o", 0)
	s.wrote("and back", "learned gpu containerd: 5 kept 0.0")
	s.node("o", "gpu")
	s.pullOn("o", "5", "app:1", 351*mebibyte)
	s.wrote("and is set up in another way", "learned gpu containerd: 5 kept 0.0?", "learned gpu containerd: 6 kept 0.2?")
	for _, name := range []string{"n", "m", "o"} {
		s.DeleteNode(name, types.UID(name))
		s.learner.NodeDeleted(name, types.UID(name))
	}
	if len(s.learner.nodes)+len(s.learner.poolNodes) != 0 {
		t.Errorf("nodes that are gone are remembered: %v, %v", s.learner.nodes, s.learner.poolNodes)
	}
}

// TestLearnerTakesTheWordOfTwoNamespaces: what one tenant's images say of themselves is likely, and no more.
func TestLearnerTakesTheWordOfTwoNamespaces(t *testing.T) {
	s := newSchool(t)
	s.predictions[mustRef(t, "app:1")] = Prediction{
		Source: imagesize.SourceLayers, Layered: true, BlobBytes: 100 * mebibyte, Unpacked: estimate.Exactly(250 * mebibyte),
	}
	layers(s.Ledger, mustRef(t, "app:1"), imagesize.Platform{OS: "linux", Architecture: "amd64"}, true)
	s.namespace = "tenant"
	for i := range 3 {
		s.pull(strconv.Itoa(i), "app:1", 351*mebibyte)
	}
	s.wrote("one namespace", "learned gpu containerd: 1", "learned gpu containerd: 2", "learned gpu containerd: 3 kept 1.0?")
	s.namespace = "other"
	s.pull("3", "app:1", 351*mebibyte)
	s.wrote("another one says the same", "learned gpu containerd: 4 kept 1.0")
}

func TestLearnerOfLazyNodes(t *testing.T) {
	s := newSchool(t)
	s.needed = estimate.Between(100, 200, 300)
	s.sample(99)
	s.wrote("one sample")
	s.short(99)
	s.wrote("a minute and a half of them", "learned gpu containerd: 0 lazy")
	if got := s.learner.PoolsLearned()["lazy"]; got != 1 {
		t.Errorf("%d pools are lazy, want 1", got)
	}
	s.node("n", "cpu")
	s.sample(99)
	s.wrote("the node is in another pool", "learned gpu containerd: 0")
	s.short(99)
	s.learner.NodeDeleted("n", "n")
	s.wrote("and gone", "learned cpu containerd: 0 lazy", "learned cpu containerd: 0")
}

// TestLearnerCountsASampleOnce: kubelets tell one sample again and again until they take the next.
func TestLearnerCountsASampleOnce(t *testing.T) {
	s := newSchool(t)
	s.needed = estimate.Between(100, 200, 300)
	for range 5 {
		s.polled("n", 99)
	}
	s.now = s.now.Add(-time.Second)
	s.polled("n", 99)
	s.wrote("one sample, and an older one")
	s.node("n", "cpu")
	s.now = s.now.Add(time.Second)
	s.polled("n", 99)
	s.sample(99)
	s.wrote("it does not count in another pool, too")
	s.short(99)
	s.wrote("a minute and a half there", "learned cpu containerd: 0 lazy")
	for range 20 {
		s.polled("n", 100)
	}
	s.wrote("a clean one that is not newer")

	s.behind = time.Hour
	for range 10 {
		s.sample(100)
	}
	s.wrote("clean ones, by a clock that was put back")
	for range 12 {
		s.sample(100)
	}
	s.wrote("which the ledger believes after two minutes", "learned cpu containerd: 0")
}

// TestLearnerReadsWhatIsPublished: a sample counts when the next one comes, and a node that is gone does not come back because
// the snapshot still has it.
func TestLearnerReadsWhatIsPublished(t *testing.T) {
	s := newSchool(t)
	s.needed = estimate.Between(100, 200, 300)
	s.Batch(func() {}, func() {})
	for range 10 {
		s.sample(99)
		s.Publish()
	}
	s.wrote("ten samples, of which the last was not published when it came")
	s.sample(99)
	s.wrote("one more", "learned gpu containerd: 0 lazy")

	s.DeleteNode("n", "n")
	s.learner.NodeDeleted("n", "n")
	s.wrote("and gone", "learned gpu containerd: 0")
	if _, published := s.Snapshot().Node("n"); !published {
		t.Fatal("the snapshot knows already that the node is gone")
	}
	s.sample(99)
	if len(s.learner.nodes)+len(s.learner.poolNodes) != 0 {
		t.Errorf("a node that is gone is remembered: %v, %v", s.learner.nodes, s.learner.poolNodes)
	}
}

// TestLearnerForgetsANodeWhileItLooksAtItsSample: the sample does not bring it back.
func TestLearnerForgetsANodeWhileItLooksAtItsSample(t *testing.T) {
	s := newSchool(t)
	s.meanwhile = func() {
		s.DeleteNode("n", "n")
		s.learner.NodeDeleted("n", "n")
	}
	s.sample(0)
	if len(s.learner.nodes)+len(s.learner.poolNodes) != 0 {
		t.Errorf("a node that is gone is remembered: %v, %v", s.learner.nodes, s.learner.poolNodes)
	}
}
