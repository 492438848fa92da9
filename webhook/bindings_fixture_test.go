// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"
	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/headroom-dev/headroom/estimate"
	"github.com/headroom-dev/headroom/fit"
	"github.com/headroom-dev/headroom/ledger"
	"github.com/headroom-dev/headroom/policy"
	"github.com/headroom-dev/headroom/verdict"
)

// bindingReview is what the API server sends when a scheduler binds the pod team-a/llm to node worker-1.
func bindingReview(t testing.TB, change ...func(*admissionv1.AdmissionReview)) []byte {
	t.Helper()
	raw, err := json.Marshal(corev1.Binding{
		ObjectMeta: metav1.ObjectMeta{Namespace: "team-a", Name: "llm", UID: "pod-uid"},
		Target:     corev1.ObjectReference{Kind: "Node", Name: "worker-1"},
	})
	if err != nil {
		t.Fatal(err)
	}
	review := &admissionv1.AdmissionReview{
		TypeMeta: metav1.TypeMeta{APIVersion: "admission.k8s.io/v1", Kind: "AdmissionReview"},
		Request: &admissionv1.AdmissionRequest{
			UID: requestUID, Kind: metav1.GroupVersionKind{Version: "v1", Kind: "Binding"},
			Resource: metav1.GroupVersionResource{Version: "v1", Resource: "pods"}, SubResource: "binding",
			Operation: admissionv1.Create, Namespace: "team-a", Name: "llm", Object: runtime.RawExtension{Raw: raw},
		},
	}
	for _, f := range change {
		f(review)
	}
	body, err := json.Marshal(review)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// tooFull is the answer about a node from which a binding should be sent back.
var tooFull = fit.Steering{
	PolicyVersion: "v7",
	SendBack:      true, Mode: policy.Enforce, Pod: "pod-uid", Verdict: verdict.EvictsPods, Other: "worker-2", Message: "the node is too full", CauseCode: "code",
	Target: fit.NodeResult{
		Node: "worker-1", LikelyVerdict: verdict.EvictsPods, Need: estimate.Exactly(7), Projected: estimate.Between(-5, -4, -3),
		Account: ledger.Account{Tier: ledger.Measured},
	},
}

// steerer answers each binding with one Steering and one reason, and writes down what it is asked.
type steerer struct {
	answer fit.Steering
	reason fit.Reason

	bindings []fit.Binding
	backs    []SendBack
}

func (s *steerer) options() Bindings {
	return Bindings{
		Steer:    func(b fit.Binding) fit.Steering { s.bindings = append(s.bindings, b); return s.answer },
		SendBack: func(b SendBack) fit.Reason { s.backs = append(s.backs, b); return s.reason },
	}
}

func postBinding(t testing.TB, h http.Handler, body []byte) *admissionv1.AdmissionResponse {
	t.Helper()
	recorder := httptest.NewRecorder()
	h.ServeHTTP(recorder, httptest.NewRequestWithContext(t.Context(), http.MethodPost, BindingsPath+"?timeout=2s", bytes.NewReader(body)))
	if recorder.Code != http.StatusOK {
		t.Fatalf("HTTP status %d, want 200: %s", recorder.Code, recorder.Body)
	}
	return verify(t, requestUID, recorder.Body.Bytes())
}

// countedBinding checks that one binding was counted, and as what.
func countedBinding(t *testing.T, m *Metrics, outcome string) {
	t.Helper()
	for _, label := range steeringLabels() {
		want := 0.0
		if label == outcome {
			want = 1
		}
		if got := testutil.ToFloat64(m.bindings.WithLabelValues(label)); got != want {
			t.Errorf("steering_bindings_total{outcome=%q} is %v, want %v", label, got, want)
		}
	}
}

// boundTo makes a review one of another pod, or to another node.
func boundTo(pod, node string) func(*admissionv1.AdmissionReview) {
	return func(r *admissionv1.AdmissionReview) {
		r.Request.Object.Raw = []byte(`{"metadata":{"uid":"` + pod + `"},"target":{"name":"` + node + `"}}`)
	}
}
