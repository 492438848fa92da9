// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/headroom-dev/headroom/fit"
)

// FuzzHandle posts anything to a handler that refuses whatever gets as far as a decision. Nothing may panic; what gets a
// refusal must be a review of a pod's creation that was understood; every answer must be one the API server takes.
func FuzzHandle(f *testing.F) {
	valid := reviewOf(f, aPod())
	f.Add(valid)
	f.Add(valid[:len(valid)/2])
	f.Add(reviewOf(f, aPod(func(p *corev1.Pod) { p.Spec.Containers[0].Image = "UPPER//:\x00" })))
	f.Add(reviewOf(f, aPod(), func(r *admissionv1.AdmissionReview) { r.APIVersion = "admission.k8s.io/v1beta1" }))
	f.Add([]byte(`{"request":{"uid":"x"}}`))
	f.Add([]byte(`{"apiVersion":"admission.k8s.io/v1","request":{"uid":"\u0000","operation":"CREATE","resource":{"version":"v1","resource":"pods"},"object":{"spec":null}}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		evaluated := false
		h := NewPods(HandlerOptions{Evaluator: evaluatorFunc(func(fit.Request) fit.Decision { evaluated = true; return refuse })})
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, PodsPath, bytes.NewReader(body)))
		req, version, err := readReview(bytes.NewReader(body))
		if err != nil {
			if w.Code != http.StatusBadRequest {
				t.Fatalf("HTTP status %d for no review: %s", w.Code, w.Body)
			}
			return
		}
		if w.Code != http.StatusOK {
			t.Fatalf("HTTP status %d for a review with a UID: %s", w.Code, w.Body)
		}
		r := decodeAnswer(t, w.Body.Bytes())
		if r.UID != req.UID {
			t.Errorf("uid %q, want %q", r.UID, req.UID)
		}
		if !r.Allowed && (!evaluated || version != "admission.k8s.io/v1" || !isPodCreation(req)) {
			t.Errorf("refused what was not understood: %s", body)
		}
	})
}
