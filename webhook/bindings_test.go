// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/headroom-dev/headroom/fit"
)

func TestBindingSentBack(t *testing.T) {
	s, m := &steerer{answer: tooFull}, NewMetrics(nil)
	h := NewBindings(HandlerOptions{
		Metrics: m, NamespaceMode: func(ns string) string { return "mode of " + ns },
	}, s.options())
	r := postBinding(t, h, bindingReview(t))
	if r.Allowed {
		t.Fatal("let through")
	}
	want := &metav1.Status{
		Status: metav1.StatusFailure, Code: http.StatusForbidden, Reason: metav1.StatusReasonForbidden, Message: "the node is too full",
		Details: &metav1.StatusDetails{
			Name: "llm", Kind: "pods", UID: "pod-uid",
			Causes: []metav1.StatusCause{{Type: "code", Message: "the node is too full", Field: "target.name"}},
		},
	}
	if diff := cmp.Diff(want, r.Result); diff != "" {
		t.Errorf("result (-want +got):\n%s", diff)
	}
	annotations := map[string]string{
		"action": "SendBack", "node": "worker-1", "verdict": "EvictsPods", "policy": "Enforce@v7", "need": "7/7/7", "projected": "-5/-4/-3", "tier": "Measured",
		"message": "the node is too full",
	}
	if diff := cmp.Diff(annotations, r.AuditAnnotations); diff != "" {
		t.Errorf("annotations (-want +got):\n%s", diff)
	}
	asked := []fit.Binding{{Namespace: "team-a", Name: "llm", UID: "pod-uid", Choice: fit.Choice{Node: "worker-1"}, NamespaceMode: "mode of team-a"}}
	if diff := cmp.Diff(asked, s.bindings); diff != "" {
		t.Errorf("Steer was asked (-want +got):\n%s", diff)
	}
	back := []SendBack{{Namespace: "team-a", Name: "llm", UID: "pod-uid", Node: "worker-1", Request: requestUID, Message: "the node is too full"}}
	if diff := cmp.Diff(back, s.backs); diff != "" {
		t.Errorf("SendBack was asked (-want +got):\n%s", diff)
	}
	countedBinding(t, m, "sent-back")
	postBinding(t, h, bindingReview(t, dryRun))
	if last := s.backs[len(s.backs)-1]; !last.DryRun {
		t.Error("a dry run was asked about as if it were none")
	}
}

// The two ways in which a scheduler names the node, and what either may leave out.
func TestBindingsOfAllKinds(t *testing.T) {
	full := fit.Binding{Namespace: "team-a", Name: "llm", UID: "pod-uid", Choice: fit.Choice{Node: "worker-1"}}
	nameless := full
	nameless.UID = ""
	for what, c := range map[string]struct {
		change func(*admissionv1.AdmissionRequest)
		want   fit.Binding
	}{
		"pods/binding": {func(*admissionv1.AdmissionRequest) {}, full},
		"bindings": {func(r *admissionv1.AdmissionRequest) {
			r.Resource.Resource, r.SubResource, r.Name = "bindings", "", ""
		}, full},
		"without metadata": {func(r *admissionv1.AdmissionRequest) {
			r.Object.Raw = []byte(`{"target":{"name":"worker-1"}}`)
		}, nameless},
		"the request counts": {func(r *admissionv1.AdmissionRequest) {
			r.Object.Raw = []byte(`{"metadata":{"name":"x","namespace":"y"},"target":{"kind":"Node","name":"worker-1"}}`)
		}, nameless},
	} {
		t.Run(what, func(t *testing.T) {
			s := &steerer{answer: tooFull}
			r := postBinding(t, NewBindings(HandlerOptions{}, s.options()), bindingReview(t, func(r *admissionv1.AdmissionReview) { c.change(r.Request) }))
			if diff := cmp.Diff([]fit.Binding{c.want}, s.bindings); diff != "" || r.Allowed {
				t.Errorf("let through %v; Steer was asked (-want +got):\n%s", r.Allowed, diff)
			}
		})
	}
}

func TestBindingPanics(t *testing.T) {
	for what, b := range map[string]Bindings{
		"in Steer":    {Steer: func(fit.Binding) fit.Steering { panic("a mistake") }},
		"in SendBack": {Steer: func(fit.Binding) fit.Steering { return tooFull }, SendBack: func(SendBack) fit.Reason { panic("a mistake") }},
	} {
		t.Run(what, func(t *testing.T) {
			m := NewMetrics(nil)
			r := postBinding(t, NewBindings(HandlerOptions{Metrics: m}, b), bindingReview(t))
			if !r.Allowed || r.AuditAnnotations["undecided"] != "panic" {
				t.Errorf("allowed %v, annotations %v", r.Allowed, r.AuditAnnotations)
			}
			countedBinding(t, m, "undecided")
		})
	}
}

// FuzzBindings posts anything to a handler that sends back whatever gets as far as that.
func FuzzBindings(f *testing.F) {
	f.Add(bindingReview(f))
	f.Add(bindingReview(f, func(r *admissionv1.AdmissionReview) {
		r.Request.Resource.Resource, r.Request.SubResource = "bindings", ""
	}))
	f.Add([]byte(`{"apiVersion":"admission.k8s.io/v1","request":{"uid":"\u0000","operation":"CREATE","resource":{"version":"v1","resource":"bindings"},"object":{"target":null}}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		s := &steerer{answer: tooFull}
		w := httptest.NewRecorder()
		NewBindings(HandlerOptions{}, s.options()).ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, BindingsPath, bytes.NewReader(body)))
		req, version, err := readReview(body)
		if (err == nil) != (w.Code == http.StatusOK) {
			t.Fatalf("HTTP status %d, %v: %s", w.Code, err, w.Body)
		}
		if err != nil {
			return
		}
		r := decodeAnswer(t, w.Body.Bytes())
		if r.UID != req.UID || !r.Allowed && (len(s.backs) != 1 || version != "admission.k8s.io/v1" || !isBinding(req)) {
			t.Errorf("sent back what was not understood: %s", body)
		}
	})
}
