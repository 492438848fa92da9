// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/yaml"
)

// needsProxy skips where the API server's node proxy can't reach the simulated
// kubelets: it refuses loopback addresses. With CI=true that is a failure.
func needsProxy(t *testing.T) {
	t.Helper()
	if !strings.HasPrefix(shared.fleet.Nodes()[0].URL(), "https://127.") {
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatal("CI must have another address than loopback ones: the API server proxies to none of these")
	}
	t.Skip("this machine has loopback addresses only, and the API server proxies to none")
}

// TestNodesOutput compares all of what programs read. Every node has 8Gi of 10Gi.
func TestNodesOutput(t *testing.T) {
	quiet(t)
	needsProxy(t)
	exactly := func(n float64) map[string]any { return map[string]any{"low": n, "likely": n, "high": n} }
	const (
		gcLine       = 1717986919 // 16 % of the capacity, rounded up
		evictionLine = 1610612800 // 15 % as kubelets compute it, as a float32
		inodes       = 655_360    // one for each 16Ki, and 1 % of them used
	)
	node := func(name string) any {
		return map[string]any{
			"name": name, "tier": "Measured", "capacityBytes": float64(10 << 30), "availableBytes": exactly(8 << 30), "pendingBytes": exactly(0),
			"reclaimableBytes": exactly(0), "gcLineBytes": float64(gcLine), "evictionLineBytes": float64(evictionLine),
			"inodes": float64(inodes), "inodesFree": float64(inodes - inodes/100), "inodeLine": float64(inodes / 20), "imagesListed": float64(1), "verdictNow": "Fits",
		}
	}
	want := map[string]any{"nodes": []any{node("sim-1"), node("sim-2")}}
	for _, format := range []string{"json", "yaml"} {
		t.Run(format, func(t *testing.T) {
			r := headroom(t, "", "nodes", "-o", format)
			if r.code != 0 || r.stderr != "" {
				t.Fatalf("exit code %d, %s", r.code, r.stderr)
			}
			var got map[string]any
			if err := yaml.Unmarshal([]byte(r.stdout), &got); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("nodes (-want +got):\n%s", diff)
			}
		})
	}
	t.Run("table", func(t *testing.T) {
		r := headroom(t, "", "nodes")
		if r.code != 0 || r.stderr != "" {
			t.Fatalf("exit code %d, %s", r.code, r.stderr)
		}
		golden(t, "nodes.txt", r.stdout)
	})
	t.Run("without the right to ask kubelets", func(t *testing.T) {
		reader := kubeconfigOf(t, "reader", []string{`{apiGroups: [""], resources: [nodes, pods, namespaces, configmaps], verbs: [get, list]}`})
		r := headroom(t, "", "nodes", "--kubeconfig", reader)
		if r.code != 0 {
			t.Fatalf("exit code %d, %s", r.code, r.stderr)
		}
		matches(t, "the note", r.stderr, `note: not measured: sim-1, sim-2: the API server refuses to "get nodes/proxy": grant it to the user of this kubeconfig`)
		if !strings.Contains(r.stdout, "Assumed") {
			t.Errorf("the table does not say Assumed:\n%s", r.stdout)
		}
	})
	t.Run("an API server that isn't there", func(t *testing.T) {
		r := headroom(t, "", "nodes", "--kubeconfig", nowhere(t))
		if r.code != 2 || r.stdout != "" {
			t.Errorf("exit code %d, printed %q; want 2 and nothing", r.code, r.stdout)
		}
		matches(t, "what it says", r.stderr, `error: the API server can't be reached: dial tcp 127.0.0.1:1: connect: connection refused`)
	})
	t.Run("without the right to list nodes", func(t *testing.T) {
		r := headroom(t, "", "nodes", "--kubeconfig", kubeconfigOf(t, "nobody", nil))
		if r.code != 2 || r.stdout != "" {
			t.Errorf("exit code %d, printed %q; want 2 and nothing", r.code, r.stdout)
		}
		matches(t, "what it says", r.stderr, `error: cannot list nodes at cluster scope: user "nobody" needs list on nodes`)
	})
}

// TestImagesOutput compares all of what programs read, with a pull on a node whose kubelet never ends it.
func TestImagesOutput(t *testing.T) {
	quiet(t)
	setPolicy(t, "mode: Off")
	stuckNode(t, "stuck")
	pod := podOf("waits", "example.com/huge:1")
	pod.Spec.NodeName = "stuck"
	if _, stderr, err := shared.plane.KubectlInput(t.Context(), asJSON(t, pod), "create", "-f", "-"); err != nil {
		t.Fatalf("%v\n%s", err, stderr)
	}
	t.Cleanup(func() {
		_, _, _ = shared.plane.Kubectl(context.Background(), "delete", "pod", "waits", "--force", "--grace-period=0")
	})
	for name, args := range map[string][]string{"images.json": {"-o", "json"}, "images.yaml": {"-o", "yaml"}, "images.txt": nil} {
		r := headroom(t, "", append([]string{"images", "--kubelet-via", "off", "--registry", "off"}, args...)...)
		if r.code != 0 || r.stderr != "" {
			t.Fatalf("exit code %d, %s", r.code, r.stderr)
		}
		golden(t, name, r.stdout)
	}
}

// stuckNode makes a node of another runtime without any kubelet.
func stuckNode(t *testing.T, name string) {
	t.Helper()
	nodes := shared.client.CoreV1().Nodes()
	_, err := nodes.Create(t.Context(), &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := nodes.Delete(context.Background(), name, metav1.DeleteOptions{}); err != nil {
			t.Error(err)
		}
	})
	// The node controller writes to the node as well.
	err = retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		node, err := nodes.Get(t.Context(), name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		node.Status.NodeInfo = corev1.NodeSystemInfo{ContainerRuntimeVersion: "cri-o://1.34.0", OperatingSystem: "linux", Architecture: "amd64"}
		node.Status.Capacity = corev1.ResourceList{corev1.ResourceEphemeralStorage: resource.MustParse("100Gi")}
		node.Status.Images = []corev1.ContainerImage{{Names: []string{"registry.k8s.io/pause:3.10.1"}, SizeBytes: 742000}}
		_, err = nodes.UpdateStatus(t.Context(), node, metav1.UpdateOptions{})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

const (
	fits     = "apiVersion: v1\nkind: Pod\nmetadata: {name: fits}\nspec: {containers: [{name: c, image: 'example.com/small:1'}]}\n"
	overload = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: overload, namespace: team}\n" +
		"spec: {selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: {containers: [{name: c, image: 'example.com/big:1'}]}}}\n"
	unknown = "apiVersion: v1\nkind: Pod\nmetadata: {name: unknown}\nspec: {containers: [{name: c, image: 'example.com/nobody-knows:1'}]}\n"
	badName = "apiVersion: v1\nkind: Pod\nmetadata: {name: badname}\nspec: {containers: [{name: c, image: 'Example.com//x'}]}\n"
	broken  = "kind: Pod\nmetadata: {name: [\n"
)

func TestCheck(t *testing.T) {
	quiet(t)
	needsProxy(t)
	setPolicy(t, "mode: Enforce")
	dir := t.TempDir()
	for name, text := range map[string]string{"a.yaml": fits, "b.yaml": overload} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	file := write(t, "fits.yaml", fits)
	cases := map[string]struct {
		stdin string
		args  []string
		code  int
		says  string // all of stderr
		found string // names of the results
	}{
		"all fits":              {args: []string{"-f", file}, code: 0, found: "fits"},
		"from stdin":            {stdin: fits, args: []string{"-f", "-"}, code: 0, found: "fits"},
		"a folder, one is past": {args: []string{"-f", dir}, code: 1, found: "fits overload"},
		"several":               {stdin: overload, args: []string{"-f", file, "-f", "-"}, code: 1, found: "fits overload"},
		"no opinion is no overload": {
			stdin: unknown, args: []string{"-f", "-"}, code: 0, found: "unknown",
			says: `note: size not known: example.com/nobody-knows:1: .*`,
		},
		"a broken document among good ones": {
			stdin: fits + "---\n" + broken + "---\n" + overload, args: []string{"-f", "-"}, code: 2, found: "fits overload",
			says: `error: stdin:7: not YAML: did not find expected node content`,
		},
		"an image name that does not parse": {
			stdin: badName + "---\n" + fits, args: []string{"-f", "-"}, code: 2, found: "badname fits",
			says: `error: Pod default/badname: spec.containers\[0\].image: .*Example.com//x.*`,
		},
		"nothing but a broken document": {stdin: broken, args: []string{"-f", "-"}, code: 2, says: `error: stdin:2: not YAML: did not find expected node content`},
		"a file that is not there":      {args: []string{"-f", "/nowhere.yaml"}, code: 2, says: `error: stat /nowhere.yaml: no such file or directory`},
		"no file named":                 {code: 2, says: `error: nothing to check: name a file, a folder or - with -f`},
		"a format nobody knows":         {args: []string{"-f", file, "-o", "xml"}, code: 2, says: `error: invalid argument "xml" for "-o, --output" flag: must be table, json or yaml, got "xml"`},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			r := headroom(t, tc.stdin, append([]string{"check", "-o", "json"}, tc.args...)...)
			if strings.Contains(name, "format") {
				r = headroom(t, tc.stdin, append([]string{"check"}, tc.args...)...)
			}
			if r.code != tc.code {
				t.Errorf("exit code %d, want %d", r.code, tc.code)
			}
			matches(t, "stderr", r.stderr, tc.says)
			var report struct{ Results []struct{ Name string } }
			if tc.found != "" {
				if err := json.Unmarshal([]byte(r.stdout), &report); err != nil {
					t.Fatal(err)
				}
			}
			var names []string
			for _, result := range report.Results {
				names = append(names, result.Name)
			}
			if got := strings.Join(names, " "); got != tc.found {
				t.Errorf("results of %q, want %q", got, tc.found)
			}
		})
	}
}

// TestCheckOutput compares all of what programs read.
func TestCheckOutput(t *testing.T) {
	quiet(t)
	needsProxy(t)
	setPolicy(t, "mode: Enforce")
	stdin := fits + "---\n" + overload + "---\n" + unknown
	r := headroom(t, stdin, "check", "-f", "-", "-o", "json", "--registry", "off")
	// Numbers are compared as text: the bound for "unknown" is no float64.
	decoder := json.NewDecoder(strings.NewReader(r.stdout))
	decoder.UseNumber()
	var got map[string]any
	if err := decoder.Decode(&got); err != nil {
		t.Fatal(err)
	}
	interval := func(low, likely, high json.Number) map[string]any {
		return map[string]any{"low": low, "likely": likely, "high": high}
	}
	want := map[string]any{"results": []any{
		map[string]any{
			"kind": "Pod", "namespace": "default", "name": "fits", "verdict": "Fits", "action": "Allow", "needBytes": interval("104857600", "104857600", "104857600"),
			"candidates": json.Number("2"), "message": "image storage: fits: needs 100Mi; the best of 2 eligible nodes has 6.4Gi before unused images are trimmed",
		},
		map[string]any{
			"kind": "Deployment", "namespace": "team", "name": "overload", "verdict": "EvictsPods", "action": "Warn", "needBytes": interval("7516192768", "7516192768", "7516192768"),
			"candidates": json.Number("2"), "message": enforced + "; its pods would be refused",
		},
		map[string]any{
			"kind": "Pod", "namespace": "default", "name": "unknown", "verdict": "Unknown", "action": "Allow", "needBytes": interval("0", "0", "9223372036854775807"),
			"candidates": json.Number("2"), "message": "image storage: no opinion: nobody knows the size of image example.com/nobody-knows:1",
		},
	}}
	if diff := cmp.Diff(want, got); diff != "" || r.code != 1 {
		t.Errorf("exit code %d; check (-want +got):\n%s", r.code, diff)
	}
	table := headroom(t, stdin, "check", "-f", "-", "--registry", "off")
	golden(t, "check.txt", table.stdout)
}
