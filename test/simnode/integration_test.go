// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package simnode_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	statsv1alpha1 "k8s.io/kubelet/pkg/apis/stats/v1alpha1"

	"github.com/headroom-dev/headroom/hack/lab"
	"github.com/headroom-dev/headroom/test/simnode"
	"github.com/headroom-dev/headroom/test/simnode/disk"
)

const mb = 1_000_000

// cluster is a real control plane, and what the tests ask of it.
type cluster struct {
	*lab.ControlPlane
	t *testing.T
}

func startCluster(t *testing.T) cluster {
	t.Helper()
	if testing.Short() {
		t.Skip("starts a real control plane; not with -short")
	}
	cp, err := lab.StartControlPlane(t.Context(), lab.ControlPlaneOptions{
		Dir: t.TempDir(), Out: t.Output(), ControllerManager: true, Scheduler: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cp.Stop(); err != nil {
			t.Error(err)
		}
	})
	return cluster{ControlPlane: cp, t: t}
}

func (c cluster) kubectl(args ...string) string {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.t.Context()), time.Minute)
	defer cancel()
	out, errText, err := c.Kubectl(ctx, args...)
	if err != nil {
		c.t.Fatalf("kubectl %s: %v\n%s", strings.Join(args, " "), err, errText)
	}
	return strings.TrimSpace(out)
}

func (c cluster) apply(manifest string) {
	c.t.Helper()
	if _, errText, err := c.KubectlInput(c.t.Context(), manifest, "apply", "-f", "-"); err != nil {
		c.t.Fatalf("kubectl apply: %v\n%s", err, errText)
	}
}

// within polls with kubectl until the output is what is wanted.
func (c cluster) within(limit time.Duration, want string, args ...string) {
	c.t.Helper()
	deadline := time.Now().Add(limit)
	for {
		got := c.kubectl(args...)
		if strings.Contains(got, want) {
			return
		}
		if time.Now().After(deadline) {
			c.t.Fatalf("kubectl %s: not %q within %v but %q\n%s", strings.Join(args, " "), want, limit, got, c.kubectl("get", "pods,nodes,events", "-A", "-o", "wide"))
		}
		time.Sleep(200 * time.Millisecond)
	}
}

func (c cluster) fleet(opts simnode.Options) *simnode.Fleet {
	c.t.Helper()
	config, err := c.RESTConfig()
	if err != nil {
		c.t.Fatal(err)
	}
	opts.Config = config
	f, err := simnode.Start(c.t.Context(), opts)
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(f.Stop)
	return f
}

// authority is the CA that the API server believes when it asks a kubelet.
func (c cluster) authority() (certificate, key []byte) {
	c.t.Helper()
	certificate, err := os.ReadFile(c.CAFile)
	if err != nil {
		c.t.Fatal(err)
	}
	if key, err = os.ReadFile(filepath.Join(filepath.Dir(c.CAFile), "ca.key")); err != nil {
		c.t.Fatal(err)
	}
	return certificate, key
}

func pod(name, node, image string) string {
	return fmt.Sprintf("{apiVersion: v1, kind: Pod, metadata: {name: %s}, spec: {tolerations: [{key: pull, operator: Exists}], nodeSelector: {kubernetes.io/hostname: %s}, containers: [{name: c, image: %q}]}}\n---\n", name, node, image)
}

func TestAgainstARealAPIServer(t *testing.T) {
	c := startCluster(t)
	small := disk.Config{DiskBytes: 1000 * mb, PullBytesPerSecond: 200 * mb, PreloadedImages: []string{simnode.PauseImage}}
	endless := small
	endless.GCHighPercent = 100
	ca, key := c.authority()
	f := c.fleet(simnode.Options{
		Speed: 10, ListenAddress: "auto", ServingCACertPEM: ca, ServingCAKeyPEM: key, ClientCAPEM: ca,
		Nodes: []simnode.NodeSpec{
			{Name: "sim-1", Config: small},
			{Name: "sim-2", Config: small},
			// As on kind: nothing collects, nothing evicts.
			{Name: "pull-1", Config: endless, EvictionHard: map[string]string{}, Taints: []corev1.Taint{{Key: "pull", Effect: corev1.TaintEffectNoSchedule}}},
		},
	})

	t.Run("the scheduler's pods run and kubectl sees an ordinary node", func(t *testing.T) {
		c := cluster{c.ControlPlane, t}
		c.kubectl("wait", "--for=condition=Ready", "node", "--all", "--timeout=20s")
		// The taint of a node that is not ready goes with the controller manager.
		c.within(20*time.Second, "pull", "get", "node", "pull-1", "-o", "jsonpath={.spec.taints[*].key}")
		c.kubectl("create", "deployment", "web", "--image=nginx:1.27", "--replicas=4")
		c.kubectl("rollout", "status", "deployment/web", "--timeout=45s")
		if got := c.kubectl("get", "node", "sim-1", "-o", "jsonpath={.status.nodeInfo.containerRuntimeVersion} {.status.nodeInfo.architecture} {.status.capacity.ephemeral-storage}"); got != "containerd://2.4.2 amd64 263671875Ki" {
			t.Errorf("node says %q", got)
		}
		c.within(20*time.Second, "docker.io/library/nginx:1.27", "get", "node", "sim-1", "-o", "jsonpath={.status.images[0].names[1]}")
		c.within(10*time.Second, "Image size: 100000000 bytes.", "get", "events", "--field-selector", "reason=Pulled", "-o", "jsonpath={.items[*].message}")
		c.kubectl("delete", "deployment", "web", "--wait")
		c.within(20*time.Second, "", "get", "pods", "-o", "name")
	})

	t.Run("a token with nodes/stats reads the summary and nothing else", func(t *testing.T) {
		c := cluster{c.ControlPlane, t}
		c.kubectl("create", "serviceaccount", "reader")
		c.kubectl("create", "clusterrole", "reader", "--verb=get", "--resource=nodes/stats")
		c.kubectl("create", "clusterrolebinding", "reader", "--clusterrole=reader", "--serviceaccount=default:reader")
		token := c.kubectl("create", "token", "reader")
		for path, want := range map[string]int{"/stats/summary": 200, "/configz": 403, "/exec/default/p/c": 403} {
			if got, body := get(t, f, f.Node("sim-1").URL()+path, token); got != want {
				t.Errorf("%s: %d %s, want %d", path, got, body, want)
			}
		}
		if got, _ := get(t, f, f.Node("sim-1").URL()+"/stats/summary", "nonsense"); got != 401 {
			t.Errorf("with a nonsensical token: %d, want 401", got)
		}
	})

	t.Run("the API server proxies to it", func(t *testing.T) {
		if strings.HasPrefix(f.Node("sim-2").URL(), "https://127.") {
			t.Skip("this machine has loopback addresses only, and the API server proxies to none")
		}
		c := cluster{c.ControlPlane, t}
		var s statsv1alpha1.Summary
		if err := json.Unmarshal([]byte(c.kubectl("get", "--raw", "/api/v1/nodes/sim-2/proxy/stats/summary")), &s); err != nil || s.Node.NodeName != "sim-2" {
			t.Errorf("summary of %q, error %v", s.Node.NodeName, err)
		}
	})

	t.Run("one image too many evicts pods that ran before", func(t *testing.T) {
		c := cluster{c.ControlPlane, t}
		f.Node("sim-1").Do(func(engine *disk.Node, now time.Time) []disk.Event {
			return append(engine.RemoveImage(now, "nginx:1.27"), engine.SetOtherUsedBytes(now, 40*mb)...)
		})
		c.apply(pod("p1", "sim-1", "app:v1") + pod("p2", "sim-1", "app:v2"))
		c.kubectl("wait", "--for=condition=Ready", "pod/p1", "pod/p2", "--timeout=30s")
		c.apply(pod("p3", "sim-1", "app:v3"))
		c.within(30*time.Second, "True", "get", "node", "sim-1", "-o", `jsonpath={.status.conditions[?(@.type=="DiskPressure")].status}`)
		c.within(30*time.Second, "Evicted", "get", "pods", "-o", "jsonpath={.items[*].status.reason}")
		c.within(30*time.Second, corev1.TaintNodeDiskPressure, "get", "node", "sim-1", "-o", "jsonpath={.spec.taints[*].key}")
		c.within(30*time.Second, "The node was low on resource: ephemeral-storage. Threshold quantity: 150", "get", "pods", "-o", "jsonpath={.items[*].status.message}")
		c.within(20*time.Second, "Attempting to reclaim ephemeral-storage", "get", "events", "-A", "-o", "jsonpath={.items[*].message}")
		c.kubectl("delete", "pods", "--all", "--wait")
	})

	t.Run("a full disk fails the pull and the kubelet backs off", func(t *testing.T) {
		c := cluster{c.ControlPlane, t}
		if err := f.SetImage("huge:v1", disk.SimpleImage("huge", 800*mb, 2000*mb)); err != nil {
			t.Fatal(err)
		}
		c.apply(pod("huge", "pull-1", "huge:v1"))
		c.within(30*time.Second, "no space left on device", "get", "events", "--field-selector", "reason=Failed", "-o", "jsonpath={.items[*].message}")
		c.within(30*time.Second, "ImagePullBackOff", "get", "pod", "huge", "-o", "jsonpath={.status.containerStatuses[0].state.waiting.reason}")
		c.kubectl("delete", "pod", "huge", "--wait")
	})
}

// get asks a kubelet directly.
func get(t *testing.T, f *simnode.Fleet, url, token string) (status int, body string) {
	t.Helper()
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(f.CAPEM())
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}
	defer transport.CloseIdleConnections()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	response, err := (&http.Client{Transport: transport, Timeout: 10 * time.Second}).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(content)
}
