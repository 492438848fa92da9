// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"flag"
	"fmt"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/headroom-dev/headroom/hack/lab"
	"github.com/headroom-dev/headroom/placement"
	"github.com/headroom-dev/headroom/test/auditlog"
)

// rounds is few, so that all tests end in time.
var rounds = flag.Int("rounds", 4, "how often pods come to the two nodes of TestSteering, with steering and without")

// TestSteering has pods come that may run on either of two nodes: one nearly full
// and one empty. The scheduler prefers the full one.
func TestSteering(t *testing.T) {
	p := startPair(t, "steering")
	p.makeFullAttractive(t)
	p.fill(t)
	setPolicy(t, "mode: Enforce", randomPool)
	// The full node's disk has nothing unused on it until pods have been there, as in the last two.
	t.Run("with steering: every pod runs, and the full node is never under pressure", p.testSteered)
	t.Run("Headroom killed between a refusal and the retry: the pod runs, and the next Headroom takes the taint away", p.testKilled)
	t.Run("one node only: the binding is let through", p.testOneNode)
	t.Run("without steering: some put the full node under pressure", p.testUnsteered)
}

func (p *pair) testSteered(t *testing.T) {
	headroom := p.startHeadroom(t)
	before := p.available(t)
	sentBack := 0
	for round := range *rounds {
		// Every other round finds a scheduler that has not been told yet.
		if round%2 == 1 {
			removeSoftTaint(t, p.full.Name)
		}
		pods := p.visit(t, fmt.Sprint("steered-", round))
		for _, pod := range pods {
			if node := p.awaitBound(t, pod); node != p.empty.Name {
				t.Errorf("round %d: %s was bound to %s: %v", round, pod, node, p.bindings(t, pod))
			}
			waitReady(t, podOptions{namespace: p.namespace, name: pod})
			sentBack += len(p.sentBack(t, pod))
		}
		p.delete(t, pods...)
	}
	time.Sleep(20 * time.Second) // a kubelet looks every ten seconds, at what was measured in ten seconds more
	if taken := before - p.available(t); taken > spareBytes/4 {
		t.Errorf("the full node's disk lost %s", describeBytes(taken))
	}
	p.checkUntouched(t)
	if counted := int(headroom.Metric(t, "headroom_steering_bindings_total", "outcome=sent-back")); sentBack == 0 || counted != sentBack {
		t.Errorf("%d bindings were sent back, and Headroom counted %d: want some, as the scheduler prefers the full node, and as many", sentBack, counted)
	}
	t.Logf("0 of %d rounds put the full node under pressure; %d bindings were sent back", *rounds, sentBack)
}

// testKilled kills Headroom when it has sent a binding back and put its taint. The
// scheduler tries again after a second. Where that is before the kill, on a machine
// that has much to do, another pod comes.
func (p *pair) testKilled(t *testing.T) {
	pod, between := "", false
	for attempt := 0; !between && attempt < 5; attempt++ {
		pod = fmt.Sprint("left-", attempt)
		between = p.killHeadroom(t, pod)
	}
	if !between {
		t.Fatal("the scheduler was faster each time")
	}
	waitReady(t, podOptions{namespace: p.namespace, name: pod})
	t.Logf("%s runs on %s", pod, p.awaitBound(t, pod))
	if !softTainted(t, p.full.Name) {
		t.Fatal("the taint went away although nobody was there to take it away")
	}
	began := time.Now()
	p.startHeadroom(t)
	eventually(t, 3*time.Minute, "the next Headroom takes the taint away", func() bool { return !softTainted(t, p.full.Name) })
	t.Logf("the taint was there for %v more", time.Since(began).Round(time.Second))
}

// killHeadroom starts Headroom, and kills it when it has sent a pod's binding back.
// It reports whether the pod was not bound yet.
func (p *pair) killHeadroom(t *testing.T, pod string) bool {
	t.Helper()
	headroom := p.startHeadroom(t, "--record-delay=0s")
	removeSoftTaint(t, p.full.Name)
	p.create(t, pod, p.image(t, pod))
	err := wait.PollUntilContextTimeout(t.Context(), 10*time.Millisecond, 30*time.Second, true, func(context.Context) (bool, error) {
		return softTainted(t, p.full.Name), nil
	})
	headroom.Kill()
	unbound := podNow(t, p.namespace, pod).Spec.NodeName == ""
	if sentBack := len(p.sentBack(t, pod)); err != nil || sentBack == 0 {
		t.Fatalf("%d bindings of the pod were sent back, and as for the taint: %v", sentBack, err)
	}
	return unbound
}

func (p *pair) testOneNode(t *testing.T) {
	p.startHeadroom(t)
	pod := "alone"
	kubectl(t, "cordon", p.empty.Name)
	defer kubectl(t, "uncordon", p.empty.Name)
	time.Sleep(time.Second) // the watch
	p.create(t, pod, p.image(t, pod))
	if node := p.awaitBound(t, pod); node != p.full.Name {
		t.Errorf("bound to %s", node)
	}
	all := p.bindings(t, pod)
	if len(all) != 1 || all[0].Annotations["bindings.headroom.dev/undecided"] != "no-other-node" {
		t.Errorf("%d attempts to bind the pod, %v: want one, let through because there is no other node", len(all), all)
	}
	p.restore(t, pod)
}

func (p *pair) testUnsteered(t *testing.T) {
	p.startHeadroom(t)
	changePolicy(t, p.namespace, "mode: Enforce", "steer: Off", randomPool)
	eventually(t, time.Minute, "no taint of Headroom's", func() bool { return !softTainted(t, p.full.Name) })
	under := 0
	for round := range *rounds {
		p.fill(t)
		came := p.pressure.count()
		pods := p.visit(t, fmt.Sprint("unsteered-", round))
		if !slices.ContainsFunc(pods, func(pod string) bool { return p.awaitBound(t, pod) == p.full.Name }) {
			p.delete(t, pods...)
			continue
		}
		eventually(t, time.Minute, "DiskPressure", func() bool { return p.pressure.count() > came })
		under++
		p.restore(t, pods...)
	}
	if under == 0 {
		t.Error("the full node was never under pressure")
	}
	t.Logf("%d of %d rounds put the full node under pressure", under, *rounds)
}

// makeFullAttractive has the scheduler prefer the full node: most of the other one's
// processors are asked for.
func (p *pair) makeFullAttractive(t *testing.T) {
	t.Helper()
	mustRun(t, podOptions{
		namespace: p.namespace, name: "busy", image: lab.RegistryHost + "/lab/pause:1", node: p.empty.Name,
		milliCPU: nodeNow(t, p.empty.Name).Status.Allocatable.Cpu().MilliValue() * 3 / 4,
	})
}

// visit creates the two pods of a round, each with an image that nobody has seen.
func (p *pair) visit(t *testing.T, round string) []string {
	t.Helper()
	pods := []string{round + "-a", round + "-b"}
	images := []string{p.image(t, pods[0]), p.image(t, pods[1])}
	for i, pod := range pods {
		p.create(t, pod, images[i])
	}
	return pods
}

// create creates a pod that may run on either node. It is never refused: one of them
// can take it.
func (p *pair) create(t *testing.T, pod, image string) {
	t.Helper()
	if stderr, err := create(t, podOptions{namespace: p.namespace, name: pod, image: image}); err != nil {
		t.Fatalf("%v\n%s", err, stderr)
	}
}

// awaitBound says which node a pod is bound to.
func (p *pair) awaitBound(t *testing.T, pod string) (node string) {
	t.Helper()
	eventually(t, time.Minute, pod+" is bound", func() bool {
		node = podNow(t, p.namespace, pod).Spec.NodeName
		return node != ""
	})
	return node
}

// bindings are the attempts to bind a pod, as the API server's audit log tells.
func (p *pair) bindings(t *testing.T, pod string) (all []auditlog.Event) {
	t.Helper()
	for _, event := range auditlog.Read(t, shared.plane.AuditLog) {
		if ref := event.ObjectRef; ref.Resource == "pods" && ref.Subresource == "binding" && ref.Namespace == p.namespace && ref.Name == pod {
			all = append(all, event)
		}
	}
	return all
}

// sentBack are those of them that were not accepted.
func (p *pair) sentBack(t *testing.T, pod string) []auditlog.Event {
	t.Helper()
	return slices.DeleteFunc(p.bindings(t, pod), func(e auditlog.Event) bool { return e.ResponseStatus.Code < 400 })
}

func softTainted(t *testing.T, node string) bool {
	t.Helper()
	return slices.ContainsFunc(nodeNow(t, node).Spec.Taints, func(taint corev1.Taint) bool { return taint.Key == placement.ImageStorageTaint })
}

// removeSoftTaint takes the taint away, if it is there, as an admin would.
func removeSoftTaint(t *testing.T, node string) {
	t.Helper()
	if softTainted(t, node) {
		kubectl(t, "taint", "node", node, placement.ImageStorageTaint+"-")
	}
}
