// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"errors"
	"os"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/headroom-dev/headroom/hack/lab"
	"github.com/headroom-dev/headroom/test/serve"
)

const (
	// spareBytes is what the full node of a pair can still take before its kubelet acts.
	spareBytes = 60 * mib
	// visitorMiB is the size of a visitor's image. The disk loses twice as much: too
	// much for the full node, and nothing to the empty one.
	visitorMiB = 40
)

// pair is two nodes that take the same pods. One is nearly full and one is empty.
type pair struct {
	full, empty *lab.Node
	namespace   string
	// pressure is the full node's.
	pressure pressureWatch
}

// startPair starts two nodes, and a pod on the one to be filled. The kubelet never
// evicts that pod, so that whoever frees the disk is done.
func startPair(t *testing.T, name string) *pair {
	t.Helper()
	p := &pair{
		// Large enough for the images of all visitors, who leave them behind, instead of the filler.
		full:  startBareNode(t, lab.NodeOptions{Name: name + "-full", DiskBytes: 3 << 29, PressureTransition: 5 * time.Second}),
		empty: startBareNode(t, lab.NodeOptions{Name: name + "-empty", DiskBytes: 8 << 30}),
	}
	warmUp(t, p.full.Name, p.empty.Name)
	p.namespace = namespace(t, name)
	mustRun(t, podOptions{
		namespace: p.namespace, name: "resident", node: p.full.Name, priorityClass: "system-node-critical",
		image: push(t, "pair/resident:v1", 150, 101),
	})
	p.pressure.start(t, p.full.Name)
	return p
}

// fill leaves spareBytes on the full node's disk, whatever is on it now.
func (p *pair) fill(t *testing.T) {
	t.Helper()
	capacity, available := p.statfs(t)
	file, err := os.OpenFile(filler(p.full), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	before, err := file.Stat()
	if err != nil {
		t.Fatal(err)
	}
	size := before.Size() + available - capacity*evictionPercent/100 - spareBytes
	err = file.Truncate(size)
	if err == nil {
		err = unix.Fallocate(int(file.Fd()), 0, 0, size)
	}
	if err := errors.Join(err, file.Close()); err != nil {
		t.Fatalf("have the filler take %s: %v", describeBytes(size), err)
	}
}

// statfs is the size of the full node's disk and what is available on it, in bytes.
func (p *pair) statfs(t *testing.T) (capacity, available int64) {
	t.Helper()
	capacity, available, err := p.full.Statfs()
	if err != nil {
		t.Fatal(err)
	}
	return capacity, available
}

// available is what the full node's disk has left, in bytes.
func (p *pair) available(t *testing.T) int64 {
	t.Helper()
	_, available := p.statfs(t)
	return available
}

// startHeadroom waits until Headroom knows how full the full node is. A kubelet's first
// sample may be from before it was filled.
func (p *pair) startHeadroom(t *testing.T, args ...string) *serve.Process {
	t.Helper()
	headroom := startHeadroom(t, args...)
	eventually(t, time.Minute, "Headroom knows how full the full node is", func() bool {
		measured := int64(headroom.Metric(t, "headroom_node_image_available_bytes", "node="+p.full.Name))
		return measured > 0 && measured < p.available(t)+spareBytes/4
	})
	return headroom
}

// restore makes the full node what it was before pods came to it. What they
// pulled may stay: the filler shrinks by as much. A kubelet that starts has not
// seen its disk short, and does not wait until that was long ago.
func (p *pair) restore(t *testing.T, pods ...string) {
	t.Helper()
	p.delete(t, pods...)
	p.fill(t)
	if err := p.full.StopKubelet(); err != nil {
		t.Fatal(err)
	}
	if err := p.full.StartKubelet(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, time.Minute, "the full node takes pods again", func() bool { return !underPressure(t, p.full.Name) && !p.repelled(t) })
}

// repelled reports whether the node is still tainted for pressure, which the
// controller manager does after the kubelet has said so.
func (p *pair) repelled(t *testing.T) bool {
	t.Helper()
	return slices.ContainsFunc(nodeNow(t, p.full.Name).Spec.Taints, func(taint corev1.Taint) bool { return taint.Key == corev1.TaintNodeDiskPressure })
}

func (p *pair) delete(t *testing.T, pods ...string) {
	t.Helper()
	kubectl(t, append([]string{"delete", "pod", "-n", p.namespace, "--wait=true"}, pods...)...)
}

// checkUntouched is for the end of what must not have harmed the full node.
func (p *pair) checkUntouched(t *testing.T) {
	t.Helper()
	if came := p.pressure.count(); came != 0 {
		t.Errorf("the full node came under DiskPressure %d times", came)
	}
	evictions, err := shared.client.CoreV1().Events(p.namespace).List(t.Context(), metav1.ListOptions{FieldSelector: "reason=Evicted"})
	if err != nil {
		t.Fatal(err)
	}
	for i := range evictions.Items {
		t.Errorf("%s was evicted: %s", evictions.Items[i].InvolvedObject.Name, evictions.Items[i].Message)
	}
}

// image is one of its own for a visitor.
func (p *pair) image(t *testing.T, visitor string) string {
	t.Helper()
	return push(t, p.namespace+"/"+visitor+":v1", visitorMiB, seedOf(p.namespace+visitor))
}
