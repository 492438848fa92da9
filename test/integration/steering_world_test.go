// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"

	"github.com/headroom-dev/headroom/controller"
	"github.com/headroom-dev/headroom/placement"
	"github.com/headroom-dev/headroom/test/serve"
	"github.com/headroom-dev/headroom/test/simnode"
)

const poolLabel = "pool.example.com/name"

// unequalNodes are a node with 3Gi available and one with 9.5Gi, for pods of this pool. An image of 7Gi fits on one of them,
// and the scheduler does not care which.
func unequalNodes(t *testing.T, pool string) (full, roomy string) {
	t.Helper()
	for name, used := range map[string]int64{pool + "-full": 7 << 30, pool + "-roomy": 512 << 20} {
		config := tenGi()
		config.OtherUsedBytes = used
		startNode(t, simnode.NodeSpec{Name: name, Config: config, Labels: map[string]string{poolLabel: pool}})
	}
	return pool + "-full", pool + "-roomy"
}

func poolPod(name, pool, image string) *corev1.Pod {
	pod := podOf(name, image)
	pod.Spec.NodeSelector = map[string]string{poolLabel: pool}
	return pod
}

// awaitSteering waits until whatever is bound could be sent back.
func awaitSteering(t *testing.T, p *serve.Process) {
	t.Helper()
	awaitWebhook(t, p)
	eventually(t, time.Minute, "every node is measured", func() bool {
		nodes, err := shared.client.CoreV1().Nodes().List(t.Context(), metav1.ListOptions{})
		return err == nil && p.Metric(t, "headroom_ledger_nodes", "tier=Measured") == float64(len(nodes.Items))
	})
}

// nodesOf returns how many pods of a namespace are bound to each node.
func nodesOf(t *testing.T, namespace string) map[string]int {
	t.Helper()
	pods, err := shared.client.CoreV1().Pods(namespace).List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	nodes := map[string]int{}
	for i := range pods.Items {
		nodes[pods.Items[i].Spec.NodeName]++
	}
	return nodes
}

func sentBackEvents(t *testing.T, namespace string) map[string]int {
	t.Helper()
	list, err := shared.client.CoreV1().Events(namespace).List(t.Context(), metav1.ListOptions{FieldSelector: fields.OneTermEqualSelector("reason", controller.SentBackReason).String()})
	if err != nil {
		t.Fatal(err)
	}
	byPod := map[string]int{}
	for i := range list.Items {
		byPod[list.Items[i].InvolvedObject.Name]++
	}
	return byPod
}

func taintsOf(t *testing.T, name string) []corev1.Taint {
	t.Helper()
	n, err := shared.client.CoreV1().Nodes().Get(t.Context(), name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return n.Spec.Taints
}

func hasTaint(t *testing.T, name string) bool {
	t.Helper()
	_, found := placement.SoftTaintSince(taintsOf(t, name))
	return found
}

// oldTaint puts a taint on a node as a Headroom would have left it behind that was killed an hour ago. One that runs already
// sees it come, and does not care for its value.
func oldTaint(t *testing.T, name string) {
	t.Helper()
	putTaint(t, name, placement.SoftTaint(time.Now().Add(-time.Hour)))
}

// putTaint puts a soft taint on a node until the test ends.
func putTaint(t *testing.T, name string, taint corev1.Taint) {
	t.Helper()
	kubectl(t, "taint", "node", name, "--overwrite", taint.ToString())
	t.Cleanup(func() {
		_, _, _ = shared.plane.Kubectl(context.Background(), "taint", "node", name, placement.ImageStorageTaint+"-")
	})
}
