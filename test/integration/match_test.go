// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admission/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/headroom-dev/headroom/webhook/registration"
)

// recorder admits everything, and remembers what it was sent.
type recorder struct {
	mu   sync.Mutex
	seen []string
}

// ServeHTTP implements [http.Handler].
func (r *recorder) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	var review admissionv1.AdmissionReview
	if err := json.NewDecoder(request.Body).Decode(&review); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	asked := review.Request
	resource := asked.Resource.Resource
	if asked.SubResource != "" {
		resource += "/" + asked.SubResource
	}
	r.mu.Lock()
	r.seen = append(r.seen, fmt.Sprintf("%s %s %s", strings.TrimPrefix(request.URL.Path, "/validate-"), asked.Operation, resource))
	r.mu.Unlock()
	review.Response = &admissionv1.AdmissionResponse{UID: asked.UID, Allowed: true}
	_ = json.NewEncoder(w).Encode(&review)
}

// take returns what was sent since the last time.
func (r *recorder) take() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	seen := strings.Join(r.seen, ", ")
	r.seen = nil
	return seen
}

// record makes the API server send to a recorder what it would send to Headroom.
func record(t *testing.T) *recorder {
	t.Helper()
	r := &recorder{}
	server := httptest.NewTLSServer(r)
	t.Cleanup(server.Close)
	target, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	registered, err := registration.Register(t.Context(), shared.client, target, ca)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := registered.Remove(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// addRollouts does what docs/operations.md says about kinds of one's own.
func addRollouts(t *testing.T) {
	t.Helper()
	patch := `[{"op": "add", "path": "/webhooks/1/rules/-", "value":
		{"apiGroups": ["example.com"], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"], "resources": ["rollouts"], "scope": "Namespaced"}}]`
	if _, err := shared.client.AdmissionregistrationV1().ValidatingWebhookConfigurations().
		Patch(t.Context(), registration.ConfigurationName, types.JSONPatchType, []byte(patch), metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
}

// TestWhatIsSent: the API server sends what may matter, to the webhook that it is for, and nothing else. All requests are dry
// runs.
func TestWhatIsSent(t *testing.T) {
	quiet(t)
	kubectl(t, "apply", "-f", "testdata/rollouts.yaml")
	t.Cleanup(func() {
		_, _, _ = shared.plane.Kubectl(context.Background(), "delete", "-f", "testdata/rollouts.yaml", "--timeout=60s")
	})
	kubectl(t, "wait", "--for=condition=Established", "crd/rollouts.example.com", "--timeout=30s")
	namespace(t, "match")
	kubectl(t, "label", "namespace", "match", "headroom.dev/mode=Warn", "team=a")
	setPolicy(t, "mode: Warn")
	kubectl(t, "apply", "-f", "testdata/match.yaml")
	t.Cleanup(func() {
		_, _, _ = shared.plane.Kubectl(context.Background(), "delete", "configmap", "-n", "headroom-system", "-l", "test=match")
	})
	r := record(t)
	addRollouts(t)
	eventually(t, 20*time.Second, "the API server sends all it should", func() bool {
		kubectl(t, "patch", "-n", "match", "rollout", "rollout", "--type=merge", "--dry-run=server", "-p", `{"spec":{"x":1}}`)
		return r.take() != ""
	})
	for name, tc := range matchCases(t) {
		t.Run(name, func(t *testing.T) {
			r.take()
			args := append(strings.Fields(tc.kubectl), "--dry-run=server")
			if tc.patch != "" {
				args = append(args, "--type=merge", "-p", tc.patch)
			}
			if _, stderr, err := shared.plane.KubectlInput(t.Context(), tc.stdin, args...); err != nil {
				t.Fatalf("%v\n%s", err, stderr)
			}
			if diff := cmp.Diff(tc.want, r.take()); diff != "" {
				t.Errorf("sent (-want +got):\n%s", diff)
			}
		})
	}
	t.Run("a workload as large as they get stays within what the API server computes", func(t *testing.T) {
		huge := hugeDeployment()
		if _, err := shared.client.AppsV1().Deployments("match").Create(t.Context(), huge, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		r.take()
		last := &huge.Spec.Template.Spec.Containers[len(huge.Spec.Template.Spec.Containers)-1]
		last.Image += "x"
		if _, err := shared.client.AppsV1().Deployments("match").Update(t.Context(), huge, metav1.UpdateOptions{DryRun: []string{metav1.DryRunAll}}); err != nil {
			t.Fatal(err)
		}
		if got, want := r.take(), "workloads UPDATE deployments"; got != want {
			t.Errorf("sent %q, want %q", got, want)
		}
	})
}

// hugeDeployment is nearly what etcd takes of one object: 1,000 containers, 1,000 tolerations, 1,000 terms of affinity.
func hugeDeployment() *appsv1.Deployment {
	d := &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: "huge", Namespace: "match"},
		Spec:       appsv1.DeploymentSpec{Paused: true, Replicas: new(int32(0)), Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "huge"}}},
	}
	d.Spec.Template.Labels = map[string]string{"app": "huge"}
	spec := &d.Spec.Template.Spec
	terms := &corev1.NodeSelector{}
	for i := range 1000 {
		n := strconv.Itoa(i)
		spec.Containers = append(spec.Containers, corev1.Container{Name: "c" + n, Image: "example.com/" + strings.Repeat("a", 700) + n})
		spec.Tolerations = append(spec.Tolerations, corev1.Toleration{Key: "k" + n, Operator: corev1.TolerationOpExists})
		terms.NodeSelectorTerms = append(terms.NodeSelectorTerms, corev1.NodeSelectorTerm{MatchExpressions: []corev1.NodeSelectorRequirement{
			{Key: "k" + n, Operator: corev1.NodeSelectorOpIn, Values: []string{"a", "b"}},
		}})
	}
	spec.Affinity = &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: terms}}
	return d
}
