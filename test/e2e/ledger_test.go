// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"math"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/headroom-dev/headroom/hack/lab"
)

// TestTwoPodsBackToBack creates two pods whose images fit one at a time but not
// together, the second before the first one's pull can have ended.
func TestTwoPodsBackToBack(t *testing.T) {
	node := startNode(t, lab.NodeOptions{Name: "backtoback"})
	ns := namespace(t, "backtoback")
	one, two := push(t, "pair/one:v1", 460, 21), push(t, "pair/two:v1", 460, 22)
	setPolicy(t, "mode: Enforce", randomPool)
	headroom := startHeadroom(t)
	_, before, err := node.Statfs()
	if err != nil {
		t.Fatal(err)
	}

	if stderr, err := create(t, podOptions{namespace: ns, name: "one", image: one, node: node.Name}); err != nil {
		t.Fatalf("the first pod fits: %v\n%s", err, stderr)
	}
	stderr, err := create(t, podOptions{namespace: ns, name: "two", image: two, node: node.Name})
	if err == nil || !forbidden(stderr) {
		t.Fatalf("kubectl said %v %q, want the second pod refused", err, stderr)
	}

	// While the pull is under way, what it has already written is in the
	// measurement: pending must shrink as much, or it would be counted twice.
	label := "node=" + node.Name
	const cost = 2 * 460
	lowest := int64(math.MaxInt64)
	eventually(t, 3*time.Minute, "the first pod runs", func() bool {
		left := int64(headroom.Metric(t, "headroom_node_image_available_bytes", label) - headroom.Metric(t, "headroom_node_image_pending_bytes", label))
		lowest = min(lowest, left)
		return podNow(t, ns, "one").Status.Phase == corev1.PodRunning
	})
	expected := before - cost*mib
	t.Logf("lowest projection during the pull %s, expected after it %s", describeBytes(lowest), describeBytes(expected))
	if slack := cost * mib / 10; lowest < expected-slack {
		t.Errorf("during the pull Headroom projected %s left, but %s are left after it: bytes were counted twice", describeBytes(lowest), describeBytes(expected))
	}
}

// TestReclaimMakesItFit has a node that is full of unused images: the kubelet
// frees them when a pod needs the room, so the pod must not be refused.
func TestReclaimMakesItFit(t *testing.T) {
	node := startNode(t, lab.NodeOptions{Name: "reclaim"})
	ns := namespace(t, "reclaim")
	unused, wanted := push(t, "reclaim/unused:v1", 420, 31), push(t, "reclaim/wanted:v1", 420, 32)
	setPolicy(t, "mode: Enforce", randomPool)
	headroom := startHeadroom(t)
	mustRun(t, podOptions{namespace: ns, name: "earlier", image: unused, node: node.Name})
	kubectl(t, "delete", "pod", "-n", ns, "earlier", "--wait=true")
	// A kubelet deletes images only some time after it has noticed them, which
	// it does every five minutes, and when it starts.
	if err := node.StopKubelet(); err != nil {
		t.Fatal(err)
	}
	if err := node.StartKubelet(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, time.Minute, "Headroom has a sample of the full disk, and the node lists the image", func() bool {
		available := headroom.Metric(t, "headroom_node_image_available_bytes", "node="+node.Name)
		return available > 0 && available < 1200*float64(mib) && listedBytes(t, node.Name, unused) > 0
	})

	pod := podOptions{namespace: ns, name: "later", image: wanted, node: node.Name}
	if stderr, err := create(t, pod); err != nil {
		t.Fatalf("%v\n%s\nwant it admitted: reclaim makes room", err, stderr)
	}
	annotations := annotationsOf(t, ns, "later")
	if annotations["verdict"] != "PressuresDisk" {
		t.Errorf("verdict %q, want PressuresDisk: it fits only after the kubelet's reclaim", annotations["verdict"])
	}
	eventually(t, 4*time.Minute, "the pod runs after the reclaim", func() bool {
		later := podNow(t, ns, "later")
		if later.Status.Phase == corev1.PodFailed {
			t.Fatalf("the pod failed: %s %s", later.Status.Reason, later.Status.Message)
		}
		return later.Status.Phase == corev1.PodRunning
	})
}

// TestTwoNodes has a full node and an empty one.
func TestTwoNodes(t *testing.T) {
	full := startNode(t, lab.NodeOptions{Name: "full"})
	empty := startNode(t, lab.NodeOptions{Name: "empty"})
	ns := namespace(t, "twonodes")
	filler, more, wanted := push(t, "two/filler:v1", 380, 41), push(t, "two/more:v1", 260, 42), push(t, "two/wanted:v1", 330, 43)
	setPolicy(t, "mode: Enforce", randomPool)
	headroom := startHeadroom(t)
	mustRun(t, podOptions{namespace: ns, name: "filler", image: filler, node: full.Name})
	mustRun(t, podOptions{namespace: ns, name: "more", image: more, node: full.Name})
	awaitSample(t, headroom, full.Name)

	admitted := func(t *testing.T, name, node string) bool {
		t.Helper()
		stderr, err := create(t, podOptions{namespace: ns, name: name, image: wanted, node: node, gated: true})
		if err != nil && !forbidden(stderr) {
			t.Fatalf("%v\n%s", err, stderr)
		}
		return err == nil
	}
	t.Run("anywhere: admitted, the empty node takes it", func(t *testing.T) {
		if !admitted(t, "anywhere", "") {
			t.Error("refused")
		}
	})
	t.Run("only on the full node: refused", func(t *testing.T) {
		if admitted(t, "pinned", full.Name) {
			t.Error("admitted")
		}
	})
	t.Run("the empty node cordoned: not refused", func(t *testing.T) {
		kubectl(t, "cordon", empty.Name)
		defer kubectl(t, "uncordon", empty.Name)
		time.Sleep(time.Second) // the watch
		if !admitted(t, "cordoned", "") {
			t.Error("refused")
		}
	})
	t.Run("the empty node NotReady: not refused", func(t *testing.T) {
		if err := empty.StopKubelet(); err != nil {
			t.Fatal(err)
		}
		eventually(t, 2*time.Minute, "the node is NotReady", func() bool {
			n, err := shared.client.CoreV1().Nodes().Get(context.Background(), empty.Name, metav1.GetOptions{})
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range n.Status.Conditions {
				if c.Type == corev1.NodeReady {
					return c.Status != corev1.ConditionTrue
				}
			}
			return false
		})
		if !admitted(t, "notready", "") {
			t.Error("refused")
		}
	})
}

// TestCompressible pulls an image whose reported size is a hundredth of what it
// takes on the disk. Headroom must not be fooled: it measures.
func TestCompressible(t *testing.T) {
	node := startNode(t, lab.NodeOptions{Name: "zeros"})
	ns := namespace(t, "zeros")
	image := pushContent(t, "zeros/app:v1", 200, lab.Zeros, 51)
	setPolicy(t, "mode: Warn")
	headroom := startHeadroom(t)
	capacity, empty, err := node.Statfs()
	if err != nil {
		t.Fatal(err)
	}
	mustRun(t, podOptions{namespace: ns, name: "app", image: image, node: node.Name})

	time.Sleep(25 * time.Second) // a poll interval and 15 s
	_, available, err := node.Statfs()
	if err != nil {
		t.Fatal(err)
	}
	got := int64(headroom.Metric(t, "headroom_node_image_available_bytes", "node="+node.Name))
	if off := math.Abs(float64(got-available)) / float64(available); off > 0.01 {
		t.Errorf("Headroom says %d bytes are available, statfs says %d: off by %.2f %%, want at most 1 %%", got, available, off*100)
	}
	listed := int64(0)
	eventually(t, time.Minute, "the node lists the image", func() bool {
		listed = listedBytes(t, node.Name, image)
		return listed > 0
	})
	taken := empty - available
	t.Logf("capacity %s, the image took %s, node.status lists %d bytes for it", describeBytes(capacity), describeBytes(taken), listed)
	if taken < 100*listed {
		t.Errorf("the image took %d bytes and is listed with %d: want more than 100 times as much", taken, listed)
	}
}

// listedBytes is the size of an image in node.status.images, 0 when it is not there.
func listedBytes(t *testing.T, node, name string) int64 {
	t.Helper()
	n, err := shared.client.CoreV1().Nodes().Get(t.Context(), node, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, image := range n.Status.Images {
		if slices.Contains(image.Names, name) {
			return image.SizeBytes
		}
	}
	return 0
}
