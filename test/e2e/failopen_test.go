// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"net/http"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/headroom-dev/headroom/hack/lab"
	"github.com/headroom-dev/headroom/test/serve"
)

// TestFailsOpen tries everything that can keep Headroom from knowing, on a node
// where the pod would be refused if it knew: its image is larger than the disk.
func TestFailsOpen(t *testing.T) {
	node := startNode(t, lab.NodeOptions{Name: "failopen", DiskBytes: 1 << 30})
	ns := namespace(t, "failopen")
	image := push(t, "failopen/huge:v1", 600, 61)
	judge := func(t *testing.T, name string) (refused bool, annotations map[string]string) {
		t.Helper()
		stderr, err := create(t, podOptions{namespace: ns, name: name, image: image, node: node.Name, gated: true})
		if err != nil && !forbidden(stderr) {
			t.Fatalf("%v\n%s", err, stderr)
		}
		return err != nil, annotationsOf(t, ns, name)
	}
	wantUndecided := func(t *testing.T, headroom *serve.Process, name, reason string) {
		t.Helper()
		before := headroom.Metric(t, "headroom_admission_undecided_total", "reason="+reason)
		refused, annotations := judge(t, name)
		if refused || annotations["undecided"] != reason {
			t.Errorf("refused %v, annotations %v: want it admitted and undecided %q", refused, annotations, reason)
		}
		if after := headroom.Metric(t, "headroom_admission_undecided_total", "reason="+reason); after != before+1 {
			t.Errorf("undecided counted %v, then %v: want one more", before, after)
		}
	}
	setPolicy(t, "mode: Enforce", "maxStaleness: 15s", randomPool)

	t.Run("everything works: refused", func(t *testing.T) {
		startHeadroom(t)
		if refused, annotations := judge(t, "works"); !refused {
			t.Errorf("admitted, with annotations %v", annotations)
		}
	})
	t.Run("killed: pods are still created", func(t *testing.T) {
		startHeadroom(t).Kill()
		if refused, _ := judge(t, "killed"); refused {
			t.Error("refused by a process that does not run")
		}
	})
	t.Run("the registry can't be reached: unknown size", func(t *testing.T) {
		headroom := startHeadroom(t, "--registry-endpoint", lab.RegistryHost+"=http://127.0.0.1:1")
		wantUndecided(t, headroom, "noregistry", "unknown-size")
	})
	t.Run("registries are not asked: unknown size", func(t *testing.T) {
		headroom := startHeadroom(t, "--registry", "off")
		wantUndecided(t, headroom, "unknownsize", "unknown-size")
	})
	t.Run("the ledger is not synced", func(t *testing.T) {
		headroom := serve.Start(t, serve.Options{Kubeconfig: blindKubeconfig(t), NotReady: true, Args: []string{"--kubelet-via", "off"}})
		pod := podOptions{namespace: ns, name: "notsynced", image: image, node: node.Name}
		var response *admissionv1.AdmissionResponse
		eventually(t, time.Minute, "the webhook answers", func() bool {
			response = review(t, headroom.WebhookURL, pod)
			return response != nil
		})
		if !response.Allowed || response.AuditAnnotations["undecided"] != "not-synced" {
			t.Errorf("allowed %v, annotations %v: want it admitted and undecided not-synced", response.Allowed, response.AuditAnnotations)
		}
		if headroom.Ready() {
			t.Error("ready without having listed nodes and pods")
		}
	})
	t.Run("the sample is stale", func(t *testing.T) {
		headroom := startHeadroom(t)
		if err := node.StopKubelet(); err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := node.StartKubelet(t.Context()); err != nil {
				t.Fatal(err)
			}
		}()
		eventually(t, time.Minute, "the sample is stale", func() bool {
			return headroom.Metric(t, "headroom_ledger_nodes", "tier=Measured") == 0
		})
		wantUndecided(t, headroom, "stale", "stale")
		eventually(t, 30*time.Second, "a poll error is counted", func() bool {
			return headroom.Metric(t, "headroom_kubelet_poll_errors_total") > 0
		})
	})
	t.Run("the kubelet was never reached", func(t *testing.T) {
		if err := node.StopKubelet(); err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := node.StartKubelet(t.Context()); err != nil {
				t.Fatal(err)
			}
		}()
		headroom := startHeadroomUnmeasured(t)
		wantUndecided(t, headroom, "nevermeasured", "not-measured")
	})
}

// blindKubeconfig is of a user that may do all that Headroom's ServiceAccount
// may, but list nodes and pods.
func blindKubeconfig(t *testing.T) string {
	t.Helper()
	kubectl(t, "create", "rolebinding", "blind", "-n", "headroom-system", "--role=headroom", "--user=blind")
	kubectl(t, "create", "clusterrolebinding", "blind", "--clusterrole=headroom-out-of-cluster", "--user=blind")
	t.Cleanup(func() {
		ctx := context.Background()
		_, _, _ = shared.plane.Kubectl(ctx, "delete", "clusterrolebinding", "blind")                   // ends with the control plane
		_, _, _ = shared.plane.Kubectl(ctx, "delete", "rolebinding", "blind", "-n", "headroom-system") // as above
	})
	kubeconfig, err := shared.plane.UserKubeconfig("blind", "system:authenticated")
	if err != nil {
		t.Fatal(err)
	}
	return kubeconfig
}

// review posts a pod's creation straight to the webhook; nil when it does not answer.
func review(t *testing.T, url string, pod podOptions) *admissionv1.AdmissionResponse {
	t.Helper()
	body, err := json.Marshal(admissionv1.AdmissionReview{
		TypeMeta: metav1.TypeMeta{APIVersion: "admission.k8s.io/v1", Kind: "AdmissionReview"},
		Request: &admissionv1.AdmissionRequest{
			UID: "e2e", Operation: admissionv1.Create, Namespace: pod.namespace, Name: pod.name,
			Kind:     metav1.GroupVersionKind{Version: "v1", Kind: "Pod"},
			Resource: metav1.GroupVersionResource{Version: "v1", Resource: "pods"},
			Object:   runtime.RawExtension{Raw: []byte(pod.json(t))},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	response, err := client.Post(url+"/validate-pods", "application/json", bytes.NewReader(body))
	if err != nil {
		return nil
	}
	defer response.Body.Close()
	var answer admissionv1.AdmissionReview
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		t.Fatal(err)
	}
	return answer.Response
}
