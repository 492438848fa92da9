// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/headroom-dev/headroom/controller"
)

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
	eventually(t, time.Minute, "the full node gets the taint", func() bool { return hasTaint(t, full) })
	eventually(t, time.Minute, "every pod is bound", func() bool { return nodesOf(t, "steered")[""] == 0 })
	bound := nodesOf(t, "steered")
	eventually(t, time.Minute, "every pod on the node with room runs", func() bool {
		pods, err := shared.client.CoreV1().Pods("steered").List(t.Context(), metav1.ListOptions{FieldSelector: "status.phase=Running,spec.nodeName=" + roomy})
		return err == nil && len(pods.Items) == bound[roomy]
	})
	var events map[string]int
	eventually(t, 20*time.Second, "an event for each that was sent back", func() bool {
		total := 0
		events = sentBackEvents(t, "steered")
		for _, n := range events {
			total += n
		}
		return total > 0 && float64(total) == p.Metric(t, "headroom_steering_bindings_total", "outcome=sent-back")
	})
	for pod, n := range events {
		if n > controller.SendBackLimit {
			t.Errorf("%s was sent back %d times", pod, n)
		}
	}
	if hasTaint(t, roomy) {
		t.Errorf("taints of the node with room %v", taintsOf(t, roomy))
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
		backs, allowed, unjudged := map[string]int{}, map[string]int{}, 0
		for _, event := range auditEvents(t) {
			if event.ObjectRef.Namespace != "steered" || event.ObjectRef.Subresource != "binding" {
				continue
			}
			node, why := event.Annotations["bindings.headroom.dev/node"], event.Annotations["bindings.headroom.dev/undecided"]
			switch action := event.Annotations["bindings.headroom.dev/action"]; {
			case action == "SendBack" && node == full:
				backs[event.ObjectRef.Name]++
			case action == "Allow" && (node == roomy || why != ""):
				allowed[node]++
			case action == "":
				unjudged++ // The API server did not get an answer in time.
			default:
				t.Errorf("pod %s: %s on %s, %q", event.ObjectRef.Name, action, node, why)
			}
		}
		if diff := cmp.Diff(events, backs); diff != "" {
			t.Errorf("sent back by events and by annotations (-events +annotations):\n%s", diff)
		}
		// Only what could not be judged in time, as on a machine that is busy, is on the full node.
		if allowed[full]+unjudged < bound[full] {
			t.Errorf("%d pods are on the full node, and %d were let through to it: %v", bound[full], allowed[full], allowed)
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
		sent := 0
		for err := post(&metav1.CreateOptions{}); err != nil; err = post(&metav1.CreateOptions{}) {
			if sent++; sent > controller.SendBackLimit || !strings.Contains(err.Error(), "another node would do") {
				t.Fatalf("attempt %d: %v", sent, err)
			}
		}
		if sent == 0 {
			t.Error("it was not sent back")
		}
		eventually(t, 10*time.Second, "an event for each time", func() bool { return sentBackEvents(t, "steered")["legacy"] == sent })
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
	outcome := func(label string) float64 {
		return p.Metric(t, "headroom_steering_bindings_total", "outcome="+label)
	}
	if outcome("no-other-node")+outcome("unknown-pod") == 0 || outcome("sent-back") > 0 {
		t.Errorf("%v let through, %v not known, %v sent back", outcome("no-other-node"), outcome("unknown-pod"), outcome("sent-back"))
	}
	if hasTaint(t, full) || len(sentBackEvents(t, "single")) > 0 {
		t.Errorf("taints %v, sent back %v", taintsOf(t, full), sentBackEvents(t, "single"))
	}
}
