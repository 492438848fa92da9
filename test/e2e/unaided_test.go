// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/headroom-dev/headroom/hack/lab"
)

// undeclared is a policy that says nothing about what images take.
const undeclared = `nodePools: [{name: lab, selector: {}, elastic: false}]`

// TestSceneWithNothingDeclared is the scene where nobody has told Headroom what an
// image takes on a disk: it reads the layers at the registry. Whether containerd keeps
// compressed layers it can't know before it has watched pulls, so the pods refused are
// those that would evict others either way.
func TestSceneWithNothingDeclared(t *testing.T) {
	// The bystanders leave some 545 MiB of the node's disk, and the kubelet wants 292. One
	// more image of 265 MiB can be pulled in either case, just so: there is room for both
	// forms of it. What stays then is less than the kubelet wants.
	for _, scene := range []struct {
		name       string
		discards   bool
		bystanders []int64 // MiB, of random bytes
	}{
		{"keeps", false, []int64{340, 300}},
		{"discards", true, []int64{600, 400, 280}},
	} {
		const overloadMiB = 265
		var images, pods []string
		for i, size := range scene.bystanders {
			images = append(images, push(t, fmt.Sprintf("undeclared/%s-%d:v1", scene.name, i), size, 71+uint64(i)))
			pods = append(pods, fmt.Sprint("bystander-", i))
		}
		overload := push(t, "undeclared/"+scene.name+"-overload:v1", overloadMiB, 79)
		bystanders := func(t *testing.T, ns, node string) {
			for i, image := range images {
				pod := podOptions{namespace: ns, name: pods[i], image: image, node: node}
				// What was compressed of the image before is on the disk until containerd discards it. Where the kubelet has measured
				// that, a pod may be refused, and whoever makes it tries again.
				eventually(t, 2*time.Minute, pods[i]+" is let through", func() bool {
					stderr, err := create(t, pod)
					if err != nil && (!scene.discards || !forbidden(stderr)) {
						t.Fatalf("create %s: %v\n%s", pods[i], err, stderr)
					}
					return err == nil
				})
				waitReady(t, pod)
			}
		}
		t.Run("containerd "+scene.name+" compressed layers: without Headroom, the pod would evict others", func(t *testing.T) {
			name := "undeclared-" + scene.name + "-alone"
			startNode(t, lab.NodeOptions{Name: name, DiscardUnpackedLayers: scene.discards})
			ns := namespace(t, name)
			bystanders(t, ns, name)
			if stderr, err := create(t, podOptions{namespace: ns, name: "overload", image: overload, node: name}); err != nil {
				t.Fatalf("%v\n%s", err, stderr)
			}
			pressure, evicted := false, ""
			eventually(t, 4*time.Minute, "DiskPressure and an evicted pod", func() bool {
				pressure = pressure || underPressure(t, name)
				for _, pod := range append(slices.Clip(pods), "overload") {
					if message := evictionOf(t, ns, pod); message != "" {
						evicted = pod + ": " + message
					}
				}
				return pressure && evicted != ""
			})
			t.Log("evicted: " + evicted)
		})
		t.Run("containerd "+scene.name+" compressed layers: with Headroom, it is refused at the first request", func(t *testing.T) {
			name := "undeclared-" + scene.name
			startNode(t, lab.NodeOptions{Name: name, DiscardUnpackedLayers: scene.discards})
			ns := namespace(t, name)
			setPolicy(t, "mode: Enforce", undeclared)
			headroom := startHeadroom(t)
			bystanders(t, ns, name)
			for _, image := range images {
				eventually(t, time.Minute, "the node lists "+image, func() bool { return listedBytes(t, name, image) > 0 })
			}
			awaitSample(t, headroom, name)
			began := time.Now()
			stderr, err := create(t, podOptions{namespace: ns, name: "overload", image: overload, node: name})
			if err == nil || !forbidden(stderr) {
				t.Fatalf("kubectl said %v:\n%s\nwant a refusal by pods.headroom.dev; annotations %v", err, stderr, annotationsOf(t, ns, "overload"))
			}
			t.Logf("after %v, for an image that nobody had asked about: %s", time.Since(began).Round(time.Millisecond), strings.TrimSpace(stderr))
			for range 15 { // half a minute
				if underPressure(t, name) {
					t.Fatal("DiskPressure came all the same")
				}
				time.Sleep(2 * time.Second)
			}
			for _, pod := range pods {
				if got := podNow(t, ns, pod); got.Status.Phase != corev1.PodRunning {
					t.Errorf("pod %s is %s %s, want Running", pod, got.Status.Phase, got.Status.Reason)
				}
			}
		})
	}
}

// TestNodeNeverSeenBefore has a pod whose image does not fit come right after its node.
func TestNodeNeverSeenBefore(t *testing.T) {
	image := push(t, "unseen/large:v1", 1000, 81)
	startBareNode(t, lab.NodeOptions{Name: "unseen"})
	ns := namespace(t, "unseen")
	setPolicy(t, "mode: Enforce", undeclared)
	startHeadroom(t)
	stderr, err := create(t, podOptions{namespace: ns, name: "large", image: image, node: "unseen", gated: true})
	if !forbidden(stderr) && len(warnings(stderr)) != 1 {
		t.Errorf("kubectl said %v, %q: want at least a warning; annotations %v", err, stderr, annotationsOf(t, ns, "large"))
	}
	t.Log(strings.TrimSpace(stderr))
}
