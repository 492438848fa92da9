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

	"github.com/headroom-dev/headroom/test/auditlog"
)

// rounds is few, so that all tests end in time. 20 have been looked at, see docs/accuracy.md.
var rounds = flag.Int("rounds", 4, "how often pods come to the two nodes of TestSteering, with steering and without")

// steeringTaint is the key of the taint that Headroom puts on a node that it sends bindings back from.
const steeringTaint = "headroom.dev/image-storage"

// TestSteering has pods come that may run on either of two nodes: one nearly full
// and one empty, of which the scheduler prefers the full one.
func TestSteering(t *testing.T) {
	p := startPair(t, "steering")
	p.makeFullAttractive(t)
	p.fill(t)
	setPolicy(t, "mode: Enforce", randomPool)

	t.Run("with steering: every pod runs, and the full node is never under pressure", func(t *testing.T) {
		startHeadroom(t)
		before := p.available(t)
		refused := 0
		for round := range *rounds {
			// Every other round finds a scheduler that has not been told yet.
			if round%2 == 1 {
				removeSteeringTaint(t, p.full.Name)
			}
			pods := p.visit(t, fmt.Sprint("steered-", round))
			for _, pod := range pods {
				if node := p.awaitBound(t, pod); node != p.empty.Name {
					t.Errorf("round %d: %s was bound to %s", round, pod, node)
				}
				waitReady(t, podOptions{namespace: p.namespace, name: pod})
				refused += p.bindingsRefused(t, pod)
			}
			p.delete(t, pods...)
		}
		time.Sleep(20 * time.Second) // a kubelet looks every ten seconds, at what was measured in ten seconds more
		if taken := before - p.available(t); taken > spareBytes/4 {
			t.Errorf("the full node's disk lost %s", describeBytes(taken))
		}
		p.checkUntouched(t)
		if refused == 0 {
			t.Error("no binding was sent back: the scheduler never wanted the full node")
		}
		t.Logf("%d rounds: never under pressure, %d bindings sent back", *rounds, refused)
	})
	t.Run("Headroom killed between a refusal and the retry: the pod runs, and the next Headroom takes the taint away", func(t *testing.T) {
		p.testKilled(t)
	})
	t.Run("one node only: the binding is let through", func(t *testing.T) {
		startHeadroom(t)
		pod := "alone"
		kubectl(t, "cordon", p.empty.Name)
		defer kubectl(t, "uncordon", p.empty.Name)
		time.Sleep(time.Second) // the watch
		p.create(t, pod, p.image(t, pod))
		if node := p.awaitBound(t, pod); node != p.full.Name {
			t.Errorf("bound to %s", node)
		}
		if refused := p.bindingsRefused(t, pod); refused != 0 {
			t.Errorf("%d bindings were sent back", refused)
		}
		p.restore(t, pod)
	})
	t.Run("without steering: some put the full node under pressure", func(t *testing.T) {
		startHeadroom(t)
		changePolicy(t, p.namespace, "mode: Enforce", "steer: Off", randomPool)
		eventually(t, time.Minute, "no taint of Headroom's", func() bool { return !steeringTainted(t, p.full.Name) })
		under := 0
		for round := range *rounds {
			p.fill(t)
			came := p.pressure.count()
			pods := p.visit(t, fmt.Sprint("unsteered-", round))
			onFull := slices.ContainsFunc(pods, func(pod string) bool { return p.awaitBound(t, pod) == p.full.Name })
			if !onFull {
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
	})
}

// testKilled kills Headroom as soon as it has sent a binding back and put its taint.
func (p *pair) testKilled(t *testing.T) {
	headroom := startHeadroom(t)
	removeSteeringTaint(t, p.full.Name)
	pod := "widowed"
	p.create(t, pod, p.image(t, pod))
	// The scheduler tries again after a second at the earliest.
	err := wait.PollUntilContextTimeout(t.Context(), 10*time.Millisecond, 30*time.Second, true, func(context.Context) (bool, error) {
		return steeringTainted(t, p.full.Name), nil
	})
	headroom.Kill()
	if err != nil {
		t.Fatalf("no taint on %s: %v; %d bindings of the pod were sent back", p.full.Name, err, p.bindingsRefused(t, pod))
	}
	if p.bindingsRefused(t, pod) == 0 {
		t.Fatal("a taint, and no binding was sent back")
	}
	waitReady(t, podOptions{namespace: p.namespace, name: pod})
	if !steeringTainted(t, p.full.Name) {
		t.Fatal("the taint went away although nobody was there to take it away")
	}
	startHeadroom(t)
	eventually(t, 3*time.Minute, "the next Headroom takes the taint away", func() bool { return !steeringTainted(t, p.full.Name) })
	p.delete(t, pod)
}

// makeFullAttractive has the scheduler prefer the full node: most of the other one's
// processors are asked for.
func (p *pair) makeFullAttractive(t *testing.T) {
	t.Helper()
	mustRun(t, podOptions{
		namespace: p.namespace, name: "busy", image: "registry.lab/lab/pause:1", node: p.empty.Name,
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

// create creates a pod that may run on either node. It is never refused: one of them can take it.
func (p *pair) create(t *testing.T, pod, image string) {
	t.Helper()
	if stderr, err := create(t, podOptions{namespace: p.namespace, name: pod, image: image}); err != nil {
		t.Fatalf("%v\n%s", err, stderr)
	}
}

// awaitBound says which node a pod was bound to.
func (p *pair) awaitBound(t *testing.T, pod string) string {
	t.Helper()
	node := ""
	eventually(t, time.Minute, pod+" is bound", func() bool {
		node = podNow(t, p.namespace, pod).Spec.NodeName
		return node != ""
	})
	return node
}

// bindingsRefused is how many bindings of a pod the API server did not accept.
func (p *pair) bindingsRefused(t *testing.T, pod string) int {
	t.Helper()
	refused := 0
	for _, event := range auditlog.Read(t, shared.plane.AuditLog) {
		ref := event.ObjectRef
		if ref.Subresource == "binding" && ref.Namespace == p.namespace && ref.Name == pod && event.ResponseStatus.Code >= 400 {
			refused++
		}
	}
	return refused
}

func steeringTainted(t *testing.T, node string) bool {
	t.Helper()
	return slices.ContainsFunc(nodeNow(t, node).Spec.Taints, func(taint corev1.Taint) bool { return taint.Key == steeringTaint })
}

// removeSteeringTaint takes the taint away, if it is there, as an admin would.
func removeSteeringTaint(t *testing.T, node string) {
	t.Helper()
	if steeringTainted(t, node) {
		kubectl(t, "taint", "node", node, steeringTaint+"-")
	}
}
