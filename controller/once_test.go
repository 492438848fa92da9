// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"errors"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/headroom-dev/headroom/kubelet"
)

func TestSampleOnce(t *testing.T) {
	f, s := newFakeKubelets(), newSamples()
	down := &kubelet.Error{Reason: kubelet.ReasonTimeout}
	f.set("down", down)
	lost := linuxNode("lost", "3", "boot")
	lost.Status.Addresses = nil
	failures := SampleOnce(t.Context(), f, []*corev1.Node{linuxNode("a", "1", "boot"), linuxNode("down", "2", "boot"), lost}, s, false, 0)
	if len(failures) != 2 || !errors.Is(failures["down"], down) {
		t.Errorf("failures: %v", failures)
	}
	if notAsked, ok := errors.AsType[*NotAskedError](failures["lost"]); !ok || notAsked.Error() != "its kubelet is not asked: the node has no InternalIP" {
		t.Errorf("a node without an address: %v", failures["lost"])
	}
	if len(s.samples) != 1 || s.last.NodeUID != "1" || s.lines["a 1"].GCHighPercent != 90 || f.most != 1 {
		t.Errorf("samples %v, lines %v, %d at a time", s.samples, s.lines, f.most)
	}
	f.noLines = errors.New("forbidden")
	if failures := SampleOnce(t.Context(), f, []*corev1.Node{linuxNode("b", "4", "boot")}, s, false, 4); len(failures) != 0 || s.lines["b 4"].GCHighPercent != 0 {
		t.Errorf("a kubelet that hides its configuration: %v, lines %v", failures, s.lines)
	}
}
