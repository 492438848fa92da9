// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/headroom-dev/headroom/test/simnode"
	"github.com/headroom-dev/headroom/test/simnode/disk"
)

// TestReservationsAreNotAbused: whatever one namespace wants and never gets, of images that are as large as it likes, another
// one's pods are not refused for it.
func TestReservationsAreNotAbused(t *testing.T) {
	quiet(t)
	lies := lyingRegistry(t)
	// No image of the siege can be pulled on its nodes: pods that are bound wait for ever.
	small := disk.SimpleImage("small", 25<<20, 100<<20)
	images := disk.Catalog{Images: map[string]disk.Image{simnode.PauseImage: simnode.DefaultCatalog().Images[simnode.PauseImage], "example.com/small:1": small}}
	labels := map[string]string{poolLabel: "siege"}
	nodes := startNodes(t, images,
		simnode.NodeSpec{Name: "siege-1", Config: tenGi(), Labels: labels}, simnode.NodeSpec{Name: "siege-2", Config: tenGi(), Labels: labels})
	setPolicy(t, "mode: Enforce", "namespaceOverrides: Any")
	p := startHeadroom(t, "--registry", "on", "--registry-endpoint", "lies.example.com="+lies, "-v", "2")
	namespace(t, "besieged")
	burstNamespace(t, "siege")
	kubectl(t, "label", "namespace", "siege", "headroom.dev/mode=Audit")
	awaitMode(t, p, "Enforce")
	awaitWebhook(t, p)

	judge := func(when string) {
		t.Helper()
		pods := map[string]*corev1.Pod{"anywhere": poolPod("app", "siege", "example.com/small:1")}
		for _, n := range nodes {
			pod := poolPod("app", "siege", "example.com/small:1")
			pod.Spec.NodeSelector[corev1.LabelHostname] = n.Name()
			pods["on "+n.Name()] = pod
		}
		for where, pod := range pods {
			if said, err := dryRun(t, "besieged", pod); err != nil {
				t.Errorf("%s a pod of 100Mi, %s, is refused: %s", when, where, said)
			}
		}
	}
	judge("before the siege")

	names := map[string]bool{}
	for i, n := range nodes {
		for kind, change := range map[string]func(*corev1.Pod){
			"gated": func(pod *corev1.Pod) {
				pod.Spec.SchedulingGates = []corev1.PodSchedulingGate{{Name: "example.com/never"}}
				pod.Spec.Containers[0].Image = "lies.example.com/gated:1"
			},
			"unschedulable": func(pod *corev1.Pod) {
				pod.Spec.Containers[0].Resources.Requests = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1k")}
			},
			"unfittable": func(pod *corev1.Pod) { pod.Spec.NodeName = n.Name() },
			"anybody's":  func(pod *corev1.Pod) { pod.Spec.SchedulerName = "nobody" },
			"nobody's": func(pod *corev1.Pod) {
				// Nobody lies about this one.
				pod.Spec.SchedulerName, pod.Spec.Containers[0].Image = "nobody", "example.com/big:1"
				pod.Spec.NodeSelector[corev1.LabelHostname] = n.Name()
			},
		} {
			for k := range 3 {
				pod := poolPod(fmt.Sprintf("%s-%d-%d", strings.TrimSuffix(kind, "'s"), i, k), "siege", fmt.Sprintf("lies.example.com/%d/%d:1", i, k))
				change(pod)
				names[pod.Name] = true
				if _, err := shared.client.CoreV1().Pods("siege").Create(t.Context(), pod, metav1.CreateOptions{}); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	eventually(t, 30*time.Second, "all that is known and believed", func() bool {
		for name := range names {
			if !strings.Contains(p.Log(), `msg="Pod in the ledger" namespace=siege name=`+name+" ") {
				return false
			}
		}
		return p.Metric(t, "headroom_registry_requests_total", "outcome=resolved") >= 7
	})
	judge("in the siege")
	// The lies are believed by those who want such an image themselves.
	if said, err := dryRun(t, "besieged", poolPod("app", "siege", "lies.example.com/gated:1")); err == nil || !strings.Contains(said, "even on an empty disk") {
		t.Errorf("a pod with an image that is said to be larger than any disk: %v %s", err, said)
	}
	judge("when one of them was asked for")
}

// lyingRegistry is one whose images are all larger than any disk, as their manifests have it. It has none of the layers.
func lyingRegistry(t *testing.T) (url string) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		repository, _, found := strings.Cut(r.URL.Path, "/manifests/")
		if !found {
			w.WriteHeader(map[bool]int{true: http.StatusOK, false: http.StatusNotFound}[r.URL.Path == "/v2/"])
			return
		}
		digest := func(of string) string { return fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(of))) }
		body := fmt.Sprintf(`{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",`+
			`"config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":%q,"size":1000},`+
			`"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":%q,"size":%d}]}`,
			digest("config of "+repository), digest("layer of "+repository), int64(900)<<30)
		w.Header().Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
		w.Header().Set("Docker-Content-Digest", digest(body))
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		if r.Method == http.MethodGet {
			_, _ = w.Write([]byte(body))
		}
	}))
	t.Cleanup(server.Close)
	return server.URL
}
