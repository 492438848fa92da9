// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
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

// TestSteering: of two nodes, of which one is nearly full, pods go to the other one.
func TestSteering(t *testing.T) {
	quiet(t)
	setPolicy(t, "mode: Enforce")
	full, roomy := unequalNodes(t, "steered")
	p := startHeadroom(t)
	namespace(t, "steered")
	awaitSteering(t, p)

	for i := range 12 {
		if _, err := shared.client.CoreV1().Pods("steered").Create(t.Context(), poolPod(fmt.Sprint("web-", i), "steered", "example.com/big:1"), metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, time.Minute, "every pod runs", func() bool {
		pods, err := shared.client.CoreV1().Pods("steered").List(t.Context(), metav1.ListOptions{FieldSelector: "status.phase=Running"})
		return err == nil && len(pods.Items) == 12
	})
	if diff := cmp.Diff(map[string]int{roomy: 12}, nodesOf(t, "steered")); diff != "" {
		t.Errorf("pods by node (-want +got):\n%s", diff)
	}
	sentBack := p.Metric(t, "headroom_steering_bindings_total", "outcome=sent-back")
	events := sentBackEvents(t, "steered")
	total := 0
	for pod, n := range events {
		total += n
		if n > controller.SendBackLimit {
			t.Errorf("%s was sent back %d times", pod, n)
		}
	}
	if sentBack == 0 || float64(total) != sentBack {
		t.Errorf("%v sent back, %d events: %v", sentBack, total, events)
	}
	if unknown := p.Metric(t, "headroom_steering_bindings_total", "outcome=unknown-pod"); unknown > 0 {
		t.Errorf("%v pods were bound before they were known", unknown)
	}
	if !hasTaint(t, full) || hasTaint(t, roomy) {
		t.Errorf("taints of the full node %v, of the other one %v", taintsOf(t, full), taintsOf(t, roomy))
	}
	t.Logf("%v of 12 pods sent back, %v", len(events), events)

	t.Run("the words", func(t *testing.T) {
		for pod := range events {
			const words = "image storage: needs 7Gi; the chosen node has 3Gi even without unused images; another node would do"
			if said := kubectl(t, "get", "events", "-n", "steered", "--field-selector", "reason=SentBack,involvedObject.name="+pod, "-o", "jsonpath={.items[0].message}"); said != words {
				t.Errorf("the event says\n  %s\nwant\n  %s", said, words)
			}
			if said := kubectl(t, "get", "events", "-n", "steered", "--field-selector", "reason=FailedScheduling,involvedObject.name="+pod, "-o", "jsonpath={.items[*].message}"); !strings.Contains(said, `admission webhook "bindings.headroom.dev" denied the request: `+words) {
				t.Errorf("the scheduler says\n  %s", said)
			}
			return
		}
	})
	t.Run("annotations", func(t *testing.T) {
		counts := map[string]int{}
		for _, event := range auditEvents(t) {
			if event.ObjectRef.Namespace == "steered" && event.ObjectRef.Subresource == "binding" {
				counts[event.Annotations["bindings.headroom.dev/action"]+" "+event.Annotations["bindings.headroom.dev/node"]]++
			}
		}
		want := map[string]int{"SendBack " + full: total, "Allow " + roomy: 12}
		if diff := cmp.Diff(want, counts); diff != "" {
			t.Errorf("bindings by action and node (-want +got):\n%s", diff)
		}
	})
	t.Run("the legacy resource is judged, too, and dry runs leave no trace", func(t *testing.T) {
		pod := poolPod("legacy", "steered", "example.com/big:2")
		pod.Spec.SchedulerName = "nobody"
		if _, err := shared.client.CoreV1().Pods("steered").Create(t.Context(), pod, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		binding := &corev1.Binding{ObjectMeta: metav1.ObjectMeta{Name: "legacy"}, Target: corev1.ObjectReference{Kind: "Node", Name: full}}
		post := func(options *metav1.CreateOptions) error {
			return shared.client.CoreV1().RESTClient().Post().Namespace("steered").Resource("bindings").
				VersionedParams(options, metav1.ParameterCodec).Body(binding).Do(t.Context()).Error()
		}
		eventually(t, 10*time.Second, "a dry run is answered as if it were none", func() bool {
			err := post(&metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
			return err != nil && strings.Contains(err.Error(), "another node would do")
		})
		if n := sentBackEvents(t, "steered")["legacy"]; n != 0 {
			t.Errorf("dry runs lead to %d events", n)
		}
		for n := 1; n <= controller.SendBackLimit; n++ {
			if err := post(&metav1.CreateOptions{}); err == nil || !strings.Contains(err.Error(), "another node would do") {
				t.Errorf("attempt %d: %v", n, err)
			}
		}
		if err := post(&metav1.CreateOptions{}); err != nil {
			t.Errorf("after %d times: %v", controller.SendBackLimit, err)
		}
		eventually(t, 10*time.Second, "an event for each time", func() bool { return sentBackEvents(t, "steered")["legacy"] == controller.SendBackLimit })
	})
	t.Run("off takes the taint away", func(t *testing.T) {
		setPolicy(t, "mode: Enforce", "steer: Off")
		eventually(t, 30*time.Second, "no taint is left", func() bool { return !hasTaint(t, full) })
	})
}

// TestOneNodeOnly: what can go nowhere else is let through.
func TestOneNodeOnly(t *testing.T) {
	quiet(t)
	setPolicy(t, "mode: Audit", "steer: On")
	full, _ := unequalNodes(t, "single")
	p := startHeadroom(t)
	namespace(t, "single")
	awaitSteering(t, p)
	pod := poolPod("tied", "single", "example.com/big:1")
	pod.Spec.NodeSelector[corev1.LabelHostname] = full
	if _, err := shared.client.CoreV1().Pods("single").Create(t.Context(), pod, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, 20*time.Second, "the pod is bound", func() bool { return maps.Equal(nodesOf(t, "single"), map[string]int{full: 1}) })
	if through := p.Metric(t, "headroom_steering_bindings_total", "outcome=no-other-node"); through != 1 || hasTaint(t, full) || len(sentBackEvents(t, "single")) > 0 {
		t.Errorf("%v let through, taints %v, sent back %v", through, taintsOf(t, full), sentBackEvents(t, "single"))
	}
}
