// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package synthapi

import (
	"maps"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/headroom-dev/headroom/ledger"
	"github.com/headroom-dev/headroom/test/serve"
	"github.com/headroom-dev/headroom/test/synthapi/fleet"
)

// TestServeFollowsTheFleet runs the real `headroom serve` against a thousand nodes, and through changes.
func TestServeFollowsTheFleet(t *testing.T) {
	const nodes = 1000
	s := start(t, Options{Fleet: fleet.Options{Nodes: nodes, Pods: 2000}})
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	if err := s.WriteKubeconfig(kubeconfig); err != nil {
		t.Fatal(err)
	}
	s.Put("configmaps", &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: "headroom-system", Name: "headroom-policy"}, Data: map[string]string{"policy.yaml": serve.HugePolicy},
	})
	p := serve.Start(t, serve.Options{Kubeconfig: kubeconfig, Args: []string{"--kubelet-via", "off", "--registry", "off", "--node-metrics=false"}})
	if count := p.Metric(t, "headroom_ledger_nodes"); count != nodes {
		t.Errorf("the ledger has %v nodes, want %d", count, nodes)
	}
	if diff := cmp.Diff(podsThere(t, s), podsKnown(p.Ledger(t))); diff != "" {
		t.Errorf("pods of the ledger (-listed +known):\n%s", diff)
	}
	churner := s.NewChurner(Churn{PodsInMotion: 300, ListEvery: 2})
	for range 2500 {
		churner.PodEvent()
		churner.NodeUpdate()
	}
	const gone = "node-000007"
	s.Delete(Nodes, "", gone)
	s.End(Pods, Broken)
	want := podsThere(t, s)
	maps.DeleteFunc(want, func(_ types.UID, node string) bool { return node == gone }) // they wait for their node to come back
	// Each look at the ledger is a recording, which is replayed at the end.
	for deadline := time.Now().Add(3 * time.Minute); p.Metric(t, "headroom_ledger_nodes") != nodes-1 || !maps.Equal(want, podsKnown(p.Ledger(t))); time.Sleep(5 * time.Second) {
		if time.Now().After(deadline) {
			t.Fatalf("the ledger has %v nodes, want %d; its pods (-listed +known):\n%s", p.Metric(t, "headroom_ledger_nodes"), nodes-1, cmp.Diff(want, podsKnown(p.Ledger(t))))
		}
	}
}

// podsThere are the nodes of all pods, by UID.
func podsThere(t *testing.T, s *Server) map[types.UID]string {
	t.Helper()
	all := map[types.UID]string{}
	for _, pod := range listed(t, clientOf(t, s, true)).Pods {
		all[pod.UID] = pod.Spec.NodeName
	}
	return all
}

func podsKnown(w *ledger.Written) map[types.UID]string {
	all := map[types.UID]string{}
	for _, pod := range w.Unbound {
		all[pod.UID] = ""
	}
	for i := range w.Nodes {
		for _, pod := range w.Nodes[i].Pods {
			all[pod.UID] = pod.NodeName
		}
	}
	return all
}
