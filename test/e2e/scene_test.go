// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/headroom-dev/headroom/hack/lab"
)

// TestScene is why Headroom exists. A node runs two pods; a third, more
// important one comes whose image does not fit beside theirs. Alone, the
// cluster takes it, runs into DiskPressure and evicts a bystander. With
// Headroom the third pod is refused and nobody loses anything.
func TestScene(t *testing.T) {
	_, err := shared.client.SchedulingV1().PriorityClasses().Create(t.Context(), &schedulingv1.PriorityClass{
		ObjectMeta: metav1.ObjectMeta{Name: "important"}, Value: 1000,
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	first, second := push(t, "scene/first:v1", 300, 11), push(t, "scene/second:v1", 300, 12)
	overload := push(t, "scene/overload:v1", 280, 13)
	bystanders := func(t *testing.T, ns, node string) []podOptions {
		pods := []podOptions{
			{namespace: ns, name: "first", image: first, node: node},
			{namespace: ns, name: "second", image: second, node: node},
		}
		for _, pod := range pods {
			mustRun(t, pod)
		}
		return pods
	}

	t.Run("without Headroom a bystander is evicted", func(t *testing.T) {
		startNode(t, lab.NodeOptions{Name: "scene-alone"})
		ns := namespace(t, "scene-alone")
		bystanders(t, ns, "scene-alone")
		overloads := 0
		overloadOnceMore := func() {
			overloads++
			pod := podOptions{namespace: ns, name: fmt.Sprint("overload-", overloads), image: overload, node: "scene-alone", priorityClass: "important"}
			if stderr, err := create(t, pod); err != nil {
				t.Fatalf("%v\n%s", err, stderr)
			}
		}
		overloadOnceMore()
		evicted := ""
		eventually(t, 6*time.Minute, "an evicted bystander", func() bool {
			for _, name := range []string{"first", "second"} {
				if message := evictionOf(t, ns, name); message != "" {
					evicted = name + ": " + message
				}
			}
			// A kubelet that looks in the middle of the pull has no statistics of the new pod yet, and evicts it before
			// all others whatever its priority (rankDiskPressureFunc). Whoever made it makes another one.
			if evicted == "" && evictionOf(t, ns, fmt.Sprint("overload-", overloads)) != "" {
				overloadOnceMore()
			}
			return evicted != ""
		})
		t.Log("evicted: " + evicted)
	})

	t.Run("with Headroom the overloading pod is refused and everybody keeps running", func(t *testing.T) {
		node := startNode(t, lab.NodeOptions{Name: "scene-guarded"})
		ns := namespace(t, "scene-guarded")
		setPolicy(t, "mode: Enforce", randomPool)
		headroom := startHeadroom(t)
		earlier := bystanders(t, ns, "scene-guarded")
		awaitSample(t, headroom, "scene-guarded")

		stderr, err := create(t, podOptions{namespace: ns, name: "overload", image: overload, node: "scene-guarded", priorityClass: "important"})
		if err == nil || !forbidden(stderr) {
			t.Fatalf("kubectl said %v:\n%s\nwant a refusal by pods.headroom.dev; annotations %v", err, stderr, annotationsOf(t, ns, "overload"))
		}
		t.Log(strings.TrimSpace(stderr))
		if got := headroom.Metric(t, "headroom_admission_decisions_total", "action=Deny"); got != 1 {
			t.Errorf("%v denials counted, want 1", got)
		}
		annotations := annotationsOf(t, ns, "overload")
		if annotations["tier"] != "Measured" || annotations["action"] != "Deny" {
			t.Errorf("audit annotations %v: want tier Measured, action Deny", annotations)
		}
		for range 30 { // a minute
			if underPressure(t, "scene-guarded") {
				t.Fatal("DiskPressure came all the same")
			}
			time.Sleep(2 * time.Second)
		}
		for _, pod := range earlier {
			if got := podNow(t, ns, pod.name); got.Status.Phase != corev1.PodRunning {
				t.Errorf("pod %s is %s %s, want Running", pod.name, got.Status.Phase, got.Status.Reason)
			}
		}
		checkNearlyFull(t, ns, node, overload, first)
	})
}

// checkNearlyFull looks at modes on the nearly full node of the scene. Pods are
// gated: they are judged, but never bound, so that none of them fills the node.
//
// Only Enforce waits for the size of an image that nobody has seen. The big one
// has been asked about before, as its refusal tells.
func checkNearlyFull(t *testing.T, ns string, node *lab.Node, big, presentImage string) {
	t.Run("Warn: one warning, and the pod is created", func(t *testing.T) {
		setPolicy(t, "mode: Warn", randomPool)
		awaitMode(t, ns, "Warn")
		stderr, err := create(t, podOptions{namespace: ns, name: "warned", image: big, node: node.Name, gated: true})
		if err != nil {
			t.Fatalf("%v\n%s", err, stderr)
		}
		if got := warnings(stderr); len(got) != 1 || !strings.HasPrefix(got[0], "Warning: image storage: ") {
			t.Errorf("kubectl printed %q, want one warning of Headroom's", stderr)
		}
		podNow(t, ns, "warned")
	})
	t.Run("Audit: nothing printed, the annotations are in the audit log", func(t *testing.T) {
		setPolicy(t, "mode: Audit", randomPool)
		awaitMode(t, ns, "Audit")
		stderr, err := create(t, podOptions{namespace: ns, name: "audited", image: big, node: node.Name, gated: true})
		if err != nil || strings.TrimSpace(stderr) != "" {
			t.Fatalf("kubectl said %v %q, want nothing", err, stderr)
		}
		annotations := annotationsOf(t, ns, "audited")
		for _, key := range []string{"verdict", "need", "projected", "candidates", "tier", "policy"} {
			if annotations[key] == "" {
				t.Errorf("audit annotation %q is missing in %v", key, annotations)
			}
		}
		if annotations["verdict"] != "EvictsPods" && annotations["verdict"] != "FillsDisk" {
			t.Errorf("verdict %q, want EvictsPods or FillsDisk", annotations["verdict"])
		}
	})
	t.Run("an image that is already there costs nothing", func(t *testing.T) {
		setPolicy(t, "mode: Enforce", randomPool)
		awaitMode(t, ns, "Enforce")
		stderr, err := create(t, podOptions{namespace: ns, name: "free", image: presentImage, node: node.Name})
		if err != nil || len(warnings(stderr)) > 0 {
			t.Fatalf("kubectl said %v %q, want nothing", err, stderr)
		}
		if need := annotationsOf(t, ns, "free")["need"]; need != "0/0/0" {
			t.Errorf("need %q, want 0/0/0", need)
		}
		waitReady(t, podOptions{namespace: ns, name: "free"})
	})
}

// awaitMode waits until the policy's mode is in force.
func awaitMode(t *testing.T, ns, mode string) {
	t.Helper()
	eventually(t, 5*time.Second, "mode "+mode+" is in force", func() bool { return strings.HasPrefix(policyInForce(t, ns), mode) })
}
