// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/headroom-dev/headroom/hack/lab"
	"github.com/headroom-dev/headroom/test/serve"
)

// TestInCluster applies manifests/base as an admin would and has the API server
// ask the Service: two replicas as restricted pods, with their ServiceAccount,
// their own certificates and the caBundle that they keep. What they say is recorded in their volume, and said again by
// `headroom check`.
func TestInCluster(t *testing.T) {
	node := startNode(t, lab.NodeOptions{Name: "incluster", DiskBytes: 1 << 30})
	routePods(t, node)
	pushHeadroom(t)
	ns := namespace(t, "incluster")
	image := push(t, "incluster/huge:v1", 600, 71)
	applyBase(t)
	kubectl(t, "rollout", "status", "-n", "headroom-system", "deployment/headroom", "--timeout=120s")
	setPolicy(t, "mode: Enforce", randomPool)

	huge := func(pod string) podOptions {
		return podOptions{namespace: ns, name: pod, image: image, node: node.Name, gated: true}
	}
	t.Run("a pod larger than the disk is refused through the Service", func(t *testing.T) {
		attempt := 0
		eventually(t, time.Minute, "a refusal", func() bool {
			attempt++
			stderr, err := create(t, huge(fmt.Sprintf("huge-%d", attempt)))
			if err != nil && !forbidden(stderr) {
				t.Fatalf("%v\n%s", err, stderr)
			}
			return err != nil
		})
	})
	t.Run("both replicas answer", func(t *testing.T) {
		pods, err := shared.client.CoreV1().Pods("headroom-system").List(t.Context(), metav1.ListOptions{LabelSelector: "app.kubernetes.io/name=headroom"})
		if err != nil {
			t.Fatal(err)
		}
		if len(pods.Items) != 2 {
			t.Fatalf("%d replicas, want 2", len(pods.Items))
		}
		for i := range pods.Items {
			if response := review(t, "https://"+pods.Items[i].Status.PodIP+":9443", huge("direct")); response == nil || response.Allowed {
				t.Errorf("replica %s: %v, want a refusal", pods.Items[i].Name, response)
			}
			serve.Replay(t, "http://"+pods.Items[i].Status.PodIP+":8080/metrics", filepath.Join(node.EmptyDir(string(pods.Items[i].UID), "cache"), "recordings"))
		}
	})
	t.Run("a webhook configuration that an admin deleted stays deleted, and pods are created", func(t *testing.T) {
		kubectl(t, "delete", "validatingwebhookconfiguration", "headroom")
		time.Sleep(20 * time.Second) // longer than drift is left alone
		_, err := shared.client.AdmissionregistrationV1().ValidatingWebhookConfigurations().Get(t.Context(), "headroom", metav1.GetOptions{})
		if !apierrors.IsNotFound(err) {
			t.Errorf("get the configuration: %v, want not found", err)
		}
		if stderr, err := create(t, huge("unguarded")); err != nil {
			t.Errorf("%v\n%s", err, stderr)
		}
	})
}

// routePods leads the pods' addresses to the node's namespace, which a
// cluster's network would do.
func routePods(t *testing.T, node *lab.Node) {
	t.Helper()
	const podNetwork = "10.88.0.0/16"
	if out, err := exec.CommandContext(t.Context(), "ip", "route", "add", podNetwork, "via", node.InternalIP).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("ip", "route", "del", podNetwork, "via", node.InternalIP).CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, out)
		}
	})
}

// applyBase applies manifests/base with what this cluster lacks: a registry
// that the image comes from, and a Service network that leads to the API server.
func applyBase(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	base, err := filepath.Abs("../../manifests/base")
	if err != nil {
		t.Fatal(err)
	}
	if base, err = filepath.Rel(dir, base); err != nil {
		t.Fatal(err)
	}
	server, err := url.Parse(shared.plane.Host)
	if err != nil {
		t.Fatal(err)
	}
	overlay := fmt.Sprintf(`
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources: [%q]
images: [{name: headroom, newName: %s/headroom, newTag: test}]
patches:
  - target: {kind: Deployment, name: headroom}
    patch: |
      - {op: add, path: /spec/template/spec/containers/0/args/-, value: "--registry-endpoint=%s=http://%s"}
      - {op: add, path: /spec/template/spec/containers/0/args/-, value: "--record=/var/cache/headroom/recordings"}
      - {op: add, path: /spec/template/spec/containers/0/args/-, value: "--record-delay=0s"}
      - {op: add, path: /spec/template/spec/containers/0/env/-, value: {name: KUBERNETES_SERVICE_HOST, value: %q}}
      - {op: add, path: /spec/template/spec/containers/0/env/-, value: {name: KUBERNETES_SERVICE_PORT, value: %q}}
`, base, lab.RegistryHost, lab.RegistryHost, shared.registry.Address, server.Hostname(), server.Port())
	overlay = strings.ReplaceAll(overlay, "name: headroom, newName", "name: ghcr.io/headroom-dev/headroom, newName")
	if err := os.WriteFile(filepath.Join(dir, "kustomization.yaml"), []byte(overlay), 0o600); err != nil {
		t.Fatal(err)
	}
	out, stderr, err := shared.plane.Kubectl(t.Context(), "apply", "-k", dir)
	if err != nil || len(warnings(stderr)) > 0 {
		t.Fatalf("%v\n%s\n%s", err, out, stderr)
	}
	t.Cleanup(func() {
		ctx := context.Background()
		for _, what := range []string{"deployment/headroom", "service/headroom", "poddisruptionbudget/headroom"} {
			_, _, _ = shared.plane.Kubectl(ctx, "delete", "-n", "headroom-system", what, "--ignore-not-found") // ends with the control plane
		}
		_, _, _ = shared.plane.Kubectl(ctx, "delete", "validatingwebhookconfiguration", "headroom", "--ignore-not-found") // as above
	})
}

// pushHeadroom pushes an image like the Dockerfile's last stage: the binary, no
// shell, not root.
func pushHeadroom(t *testing.T) {
	t.Helper()
	binary, err := os.ReadFile(serve.StaticBinary(t))
	if err != nil {
		t.Fatal(err)
	}
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	if err := w.WriteHeader(&tar.Header{Name: "headroom", Mode: 0o755, Size: int64(len(binary))}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(binary); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(archive.Bytes())), nil })
	if err != nil {
		t.Fatal(err)
	}
	img, err := mutate.AppendLayers(empty.Image, layer)
	if err != nil {
		t.Fatal(err)
	}
	img, err = mutate.ConfigFile(img, &v1.ConfigFile{
		OS: "linux", Architecture: "amd64",
		RootFS: v1.RootFS{Type: "layers", DiffIDs: diffIDs(t, img)},
		Config: v1.Config{Entrypoint: []string{"/headroom"}, Cmd: []string{"serve"}, User: "65532:65532"},
	})
	if err != nil {
		t.Fatal(err)
	}
	tag, err := name.NewTag(shared.registry.Address+"/headroom:test", name.Insecure)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(tag, img, remote.WithContext(t.Context())); err != nil {
		t.Fatal(err)
	}
}

func diffIDs(t *testing.T, img v1.Image) []v1.Hash {
	t.Helper()
	config, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	return config.RootFS.DiffIDs
}
