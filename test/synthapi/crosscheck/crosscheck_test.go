// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package crosscheck

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/headroom-dev/headroom/hack/lab"
	"github.com/headroom-dev/headroom/ledger"
	"github.com/headroom-dev/headroom/test/serve"
	"github.com/headroom-dev/headroom/test/synthapi"
	"github.com/headroom-dev/headroom/test/synthapi/fleet"
)

const (
	nodes = 1000
	pods  = 10_000
	// memoryTolerance is by how much of it resident memory may differ.
	memoryTolerance = 0.10
)

// TestBothServersMakeOneLedger gives the same nodes and pods to a real API server and to the synthetic one. `headroom serve`
// must know the same by both, to the byte, and take as much memory.
func TestBothServersMakeOneLedger(t *testing.T) {
	// Resident memory is that of what is held and of garbage. Of that there is much or little as chance has it, unless it is
	// soon collected.
	t.Setenv("GOGC", "20")
	synthetic, err := synthapi.Start(synthapi.Options{Fleet: fleet.Options{Nodes: nodes, Pods: pods}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(synthetic.Stop)
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	if err := synthetic.WriteKubeconfig(kubeconfig); err != nil {
		t.Fatal(err)
	}
	plane, err := lab.StartControlPlane(t.Context(), lab.ControlPlaneOptions{Dir: filepath.Join(t.TempDir(), "lab"), Out: t.Output()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := plane.Stop(); err != nil {
			t.Error(err)
		}
	})
	began := time.Now()
	fill(t, plane.Etcd, synthetic)
	t.Logf("%d nodes and %d pods are in etcd after %v", nodes, pods, time.Since(began).Round(time.Millisecond))
	config, err := plane.RESTConfig()
	if err != nil {
		t.Fatal(err)
	}
	setPolicy(t, config)
	setPolicy(t, synthetic.RESTConfig())

	byReal, bySynthetic := startServe(t, plane.Kubeconfig), startServe(t, kubeconfig)
	compareMemory(t, byReal, bySynthetic)
	want, got := byReal.Ledger(t), bySynthetic.Ledger(t)
	want.Generation, got.Generation = 0, 0 // counts how it came to be known
	if len(want.Nodes) != nodes || podsOf(want) != pods {
		t.Errorf("by the real API server there are %d nodes and %d pods, want %d and %d", len(want.Nodes), podsOf(want), nodes, pods)
	}
	if checksum(t, want) != checksum(t, got) {
		t.Errorf("the ledgers differ (-real +synthetic):\n%s", difference(want, got))
	}
	t.Logf("checksum of the ledger by the synthetic one: %s", checksum(t, got))
}

func startServe(t *testing.T, kubeconfig string) *serve.Process {
	t.Helper()
	p := serve.Start(t, serve.Options{Kubeconfig: kubeconfig, NotReady: true, Args: []string{
		"--kubelet-via", "off", "--registry", "off", "--leader-elect=false", "--node-metrics=false", "--sync-timeout", "5m",
	}})
	p.WaitReady(t, 5*time.Minute) // half a minute of a machine that has nothing else to do
	return p
}

// setPolicy makes one by which an image is too large for every node, so that something is said about it.
func setPolicy(t *testing.T, config *rest.Config) {
	t.Helper()
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	const namespace = "headroom-system"
	// The synthetic one has it.
	_, _ = client.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}, metav1.CreateOptions{})
	_, err = client.CoreV1().ConfigMaps(namespace).Create(t.Context(), &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: "headroom-policy", Namespace: namespace},
		Data:       map[string]string{"policy.yaml": serve.HugePolicy},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
}

func podsOf(w *ledger.Written) (sum int) {
	for i := range w.Nodes {
		sum += len(w.Nodes[i].Pods)
	}
	return sum
}

// checksum is of what both must know alike.
func checksum(t *testing.T, w *ledger.Written) string {
	t.Helper()
	encoded, err := json.Marshal(w)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(encoded)
	return hex.EncodeToString(sum[:])
}

// difference is that of the first nodes that differ.
func difference(want, got *ledger.Written) string {
	asText := func(v any) string {
		encoded, err := json.MarshalIndent(v, "", " ")
		if err != nil {
			return err.Error()
		}
		return string(encoded)
	}
	for i := range min(len(want.Nodes), len(got.Nodes)) {
		if a, b := asText(want.Nodes[i]), asText(got.Nodes[i]); a != b {
			return cmp.Diff(a, b)
		}
	}
	a, b := *want, *got
	a.Nodes, b.Nodes = nil, nil
	return cmp.Diff(asText(a), asText(b))
}

// compareMemory takes the least that each process has within some seconds.
func compareMemory(t *testing.T, byReal, bySynthetic *serve.Process) {
	t.Helper()
	a, _ := byReal.ResidentBytes(t)
	b, _ := bySynthetic.ResidentBytes(t)
	for range 60 {
		time.Sleep(250 * time.Millisecond)
		nowA, _ := byReal.ResidentBytes(t)
		nowB, _ := bySynthetic.ResidentBytes(t)
		a, b = min(a, nowA), min(b, nowB)
	}
	t.Logf("resident: %d MiB by the real API server, %d MiB by the synthetic one", a>>20, b>>20)
	if apart := float64(max(a, b)-min(a, b)) / float64(a); apart > memoryTolerance {
		t.Errorf("resident memory differs by %.0f %%, want at most %.0f %%", 100*apart, 100*memoryTolerance)
	}
}
