// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/headroom-dev/headroom/hack/lab"
	"github.com/headroom-dev/headroom/kubelet"
	"github.com/headroom-dev/headroom/test/simnode"
	"github.com/headroom-dev/headroom/test/simnode/disk"
)

// TestSimulatedKubeletAnswersLikeARealOne compares what a real and a simulated
// kubelet, each with one pod, answer to Headroom's two questions: everything
// Headroom reads is there in both, of one JSON type, and the simulated one
// answers nothing that a real one would not.
func TestSimulatedKubeletAnswersLikeARealOne(t *testing.T) {
	image := push(t, "shape/app:v1", 10, 31)
	startBareNode(t, lab.NodeOptions{
		Name: "shape-real", DiskBytes: 512 * mib,
		EvictionSoft: map[string]string{"imagefs.available": "20%"}, EvictionSoftGracePeriod: map[string]string{"imagefs.available": "1m"},
		EvictionMinimumReclaim: map[string]string{"imagefs.available": "1%"},
	})
	simulated := startSimulatedNode(t, "shape-simulated")
	ns := namespace(t, "shape")
	for _, node := range []string{"shape-real", "shape-simulated"} {
		mustRun(t, podOptions{namespace: ns, name: node, image: image, node: node})
	}

	for path, reads := range map[string][]string{
		"stats/summary": {
			"node.fs.time", "node.fs.capacityBytes", "node.fs.availableBytes", "node.fs.inodes", "node.fs.inodesFree",
			"node.runtime.imageFs.capacityBytes", "node.runtime.imageFs.availableBytes", "node.runtime.imageFs.inodes", "node.runtime.imageFs.inodesFree",
			// What people look at who doubt Headroom's figures.
			"node.nodeName", "node.runtime.imageFs.time", "node.runtime.imageFs.usedBytes", "node.runtime.containerFs.availableBytes",
			"pods[].podRef.name", "pods[].podRef.namespace", "pods[].podRef.uid", "pods[].startTime",
			"pods[].containers[].name", "pods[].containers[].rootfs.usedBytes", "pods[].containers[].rootfs.availableBytes",
		},
		"configz": {
			"kubeletconfig.imageGCHighThresholdPercent", "kubeletconfig.imageGCLowThresholdPercent",
			"kubeletconfig.imageMinimumGCAge", "kubeletconfig.imageMaximumGCAge",
			"kubeletconfig.evictionHard.imagefs.available", "kubeletconfig.evictionSoft.imagefs.available",
			"kubeletconfig.evictionSoftGracePeriod.imagefs.available", "kubeletconfig.evictionMinimumReclaim.imagefs.available",
			"kubeletconfig.evictionPressureTransitionPeriod", "kubeletconfig.nodeStatusMaxImages",
			"kubeletconfig.serializeImagePulls", "kubeletconfig.containerRuntimeEndpoint",
		},
	} {
		t.Run(path, func(t *testing.T) {
			var ofReal, ofSimulated map[string]string
			missing := func(key string) bool { return ofReal[key] == "" || ofSimulated[key] == "" }
			for range 30 { // until both have seen their pods, if they ever do
				ofReal, ofSimulated = shapeOf(t, askReal(t, "shape-real", path)), shapeOf(t, simulated(path))
				if !slices.ContainsFunc(reads, missing) {
					break
				}
				time.Sleep(time.Second)
			}
			for _, key := range reads {
				if ofReal[key] == "" || ofReal[key] != ofSimulated[key] {
					t.Errorf("%s is %q in the real answer and %q in the simulated one", key, ofReal[key], ofSimulated[key])
				}
			}
			for _, key := range slices.Sorted(maps.Keys(ofSimulated)) {
				if ofReal[key] != ofSimulated[key] {
					t.Errorf("the simulated answer has %s as a %s; the real one has %q", key, ofSimulated[key], ofReal[key])
				}
			}
			checkParses(t, path, askReal(t, "shape-real", path), simulated(path))
			t.Logf("%d keys of a real kubelet, %d of a simulated one", len(ofReal), len(ofSimulated))
		})
	}
}

// checkParses has Headroom read both answers.
func checkParses(t *testing.T, path string, answers ...[]byte) {
	t.Helper()
	for _, body := range answers {
		var err error
		if path == "configz" {
			_, err = kubelet.ParseConfigz(body)
		} else {
			_, err = kubelet.ParseSummary(body, time.Now())
		}
		if err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// shapeOf maps each key path of a JSON document to the type of its value. All
// elements of a list count as one.
func shapeOf(t *testing.T, body []byte) map[string]string {
	t.Helper()
	var document any
	if err := json.Unmarshal(body, &document); err != nil {
		t.Fatalf("%v in %.200s", err, body)
	}
	shape := map[string]string{}
	var walk func(path string, value any)
	walk = func(path string, value any) {
		shape[path] = fmt.Sprintf("%T", value)
		switch value := value.(type) {
		case map[string]any:
			for key, below := range value {
				walk(path+"."+key, below)
			}
		case []any:
			for _, below := range value {
				walk(path+"[]", below)
			}
		}
	}
	for key, value := range document.(map[string]any) {
		walk(key, value)
	}
	return shape
}

// askReal asks a kubelet by way of the API server.
func askReal(t *testing.T, node, path string) []byte {
	t.Helper()
	body, err := shared.client.CoreV1().RESTClient().Get().Resource("nodes").Name(node).SubResource("proxy").Suffix(path).DoRaw(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// startSimulatedNode adds a simulated node to the real cluster and returns a
// function that asks its kubelet with the rights that Headroom has.
func startSimulatedNode(t *testing.T, name string) func(path string) []byte {
	t.Helper()
	config, err := shared.plane.RESTConfig()
	if err != nil {
		t.Fatal(err)
	}
	fleet, err := simnode.Start(t.Context(), simnode.Options{Config: config, Nodes: []simnode.NodeSpec{{
		Name: name, Config: disk.Config{DiskBytes: 2 << 30, OtherUsedBytes: 100 << 20, PullBytesPerSecond: -1, UnpackBytesPerSecond: -1},
		EvictionSoft: map[string]string{"imagefs.available": "20%"}, EvictionSoftGracePeriod: map[string]string{"imagefs.available": "1m"},
		EvictionMinimumReclaim: map[string]string{"imagefs.available": "1%"},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		fleet.Stop()
		if err := shared.client.CoreV1().Nodes().Delete(context.Background(), name, metav1.DeleteOptions{}); err != nil {
			t.Error(err)
		}
	})
	token, err := shared.client.CoreV1().ServiceAccounts("headroom-system").CreateToken(t.Context(), "headroom-kubelet-reader", &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(fleet.CAPEM())
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}
	t.Cleanup(transport.CloseIdleConnections)
	client := &http.Client{Transport: transport, Timeout: 10 * time.Second}
	return func(path string) []byte { return get(t, client, fleet.Nodes()[0].URL()+"/"+path, token.Status.Token) }
}

func get(t *testing.T, client *http.Client, url, token string) []byte {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(response.Body)
	err = errors.Join(err, response.Body.Close())
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s: %v\n%s", url, response.Status, err, body)
	}
	return body
}
