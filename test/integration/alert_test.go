// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/headroom-dev/headroom/test/simnode"
	"github.com/headroom-dev/headroom/test/simnode/disk"
)

// startNode adds a simulated node that ends with the test.
func startNode(t *testing.T, spec simnode.NodeSpec) *simnode.Node {
	t.Helper()
	return startNodes(t, disk.Catalog{}, spec)[0]
}

// startNodes runs nodes of a test's own, which pull these images; none stands for the default ones.
func startNodes(t *testing.T, images disk.Catalog, specs ...simnode.NodeSpec) []*simnode.Node {
	t.Helper()
	config, err := shared.plane.RESTConfig()
	if err != nil {
		t.Fatal(err)
	}
	ca, err := os.ReadFile(shared.plane.CAFile)
	if err != nil {
		t.Fatal(err)
	}
	key, err := os.ReadFile(filepath.Join(filepath.Dir(shared.plane.CAFile), "ca.key"))
	if err != nil {
		t.Fatal(err)
	}
	// They end with the cleanup below, so that their pods do when a namespace is deleted before.
	fleet, err := simnode.Start(context.WithoutCancel(t.Context()), simnode.Options{
		Config: config, Speed: 10, ListenAddress: "auto", ServingCACertPEM: ca, ServingCAKeyPEM: key, ClientCAPEM: ca,
		AuthCacheTTL: -1, Nodes: specs, Images: images,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		fleet.Stop()
		for _, spec := range specs {
			if err := shared.client.CoreV1().Nodes().Delete(context.Background(), spec.Name, metav1.DeleteOptions{}); err != nil {
				t.Error(err)
			}
		}
	})
	// The API server taints new nodes until the controller manager has seen them Ready: until then no pod goes there, and whoever
	// writes a node's taints may take that one away.
	for _, spec := range specs {
		eventually(t, time.Minute, spec.Name+" to lose the taint of new nodes", func() bool {
			node, err := shared.client.CoreV1().Nodes().Get(t.Context(), spec.Name, metav1.GetOptions{})
			return err == nil && !slices.ContainsFunc(node.Spec.Taints, func(taint corev1.Taint) bool { return taint.Key == corev1.TaintNodeNotReady })
		})
	}
	return fleet.Nodes()
}

// logged waits for a log line with all these words.
func logged(t *testing.T, log func() string, words ...string) string {
	t.Helper()
	var found string
	eventually(t, 30*time.Second, "a log line with "+strings.Join(words, " "), func() bool {
		for line := range strings.Lines(log()) {
			if containsAll(line, words) {
				found = line
			}
		}
		return found != ""
	})
	return found
}

// TestAlerts watches a node whose images and disk change: a log line with the
// old and the new value for each, a metric, and an Event when it crosses a line.
func TestAlerts(t *testing.T) {
	quiet(t)
	node := startNode(t, simnode.NodeSpec{Name: "sim-alert", Config: tenGi()})
	// Resyncs write every object again: that must look like no change.
	p := startHeadroom(t, "--resync-period", "1s")
	eventually(t, 30*time.Second, "the node is measured", func() bool {
		return p.Metric(t, "headroom_node_image_sample_age_seconds", "node=sim-alert") > 0
	})

	node.Do(func(engine *disk.Node, now time.Time) []disk.Event {
		events, err := engine.PullImage(now, "example.com/other:1")
		if err != nil {
			t.Error(err)
		}
		return events
	})
	t.Log(logged(t, p.Log, `msg="Image storage changed" node=sim-alert what="images listed" old="1 image, 310Ki" new="2 images, 96Mi" change=+95Mi`))
	t.Log(logged(t, p.Log, `msg="Image storage changed" node=sim-alert what="measured use" old=2Gi new=2.3Gi change=+290Mi available=7.7Gi capacity=10Gi`))
	for what, want := range map[string]float64{"listed": 1, "measured": 1} {
		if got := p.Metric(t, "headroom_node_image_changes_total", "what="+what); got != want {
			t.Errorf("%v changes of what is %s counted, want %v", got, what, want)
		}
	}

	node.SetOtherUsedBytes(9 << 30)
	var message string
	eventually(t, 30*time.Second, "an Event on the node", func() bool {
		events, err := shared.client.CoreV1().Events("default").List(t.Context(), metav1.ListOptions{
			FieldSelector: "involvedObject.kind=Node,involvedObject.name=sim-alert,type=Warning,reason=ImageStorageBelowEvictionLine",
		})
		if err != nil {
			t.Fatal(err)
		}
		for i := range events.Items {
			message = events.Items[i].Message
		}
		return message != ""
	})
	matches(t, "the Event", message, `image storage: 740Mi of 10Gi available, below the line of 1.5Gi: the kubelet reports DiskPressure, deletes unused images and may evict pods`)
	time.Sleep(3 * time.Second) // resyncs
	if got := p.Metric(t, "headroom_node_image_changes_total", "what=listed"); got > 2 {
		t.Errorf("%v changes of the lists counted, want 1, and 1 more if the kubelet deleted the unused image: resyncs are no changes", got)
	}
}
