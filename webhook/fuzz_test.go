// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/headroom-dev/headroom/fit"
	"github.com/headroom-dev/headroom/workload"
)

// FuzzHandle posts anything to a handler that refuses whatever gets as far as a decision. Nothing may panic; what gets a
// refusal must be a review of a pod that was understood; every answer must be one the API server takes.
func FuzzHandle(f *testing.F) {
	valid := reviewOf(f, aPod())
	f.Add(valid)
	f.Add(valid[:len(valid)/2])
	f.Add(reviewOf(f, aPod(func(p *corev1.Pod) { p.Spec.Containers[0].Image = "UPPER//:\x00" })))
	f.Add(reviewOf(f, aPod(), func(r *admissionv1.AdmissionReview) { r.APIVersion = "admission.k8s.io/v1beta1" }))
	changed := aPod(func(p *corev1.Pod) { p.Spec.Containers[0].Image = "nginx" })
	f.Add(reviewOf(f, changed, updateOf(f, aPod())))
	f.Add(reviewOf(f, changed, updateOf(f, aPod()), subresource("ephemeralcontainers")))
	f.Add([]byte(`{"request":{"uid":"x"}}`))
	f.Add([]byte(`{"apiVersion":"admission.k8s.io/v1","request":{"uid":"\u0000","operation":"CREATE","resource":{"version":"v1","resource":"pods"},"object":{"spec":null}}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		evaluated := false
		h := NewPods(HandlerOptions{Evaluator: evaluatorFunc(func(fit.Request) fit.Decision { evaluated = true; return refuse })})
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, PodsPath, bytes.NewReader(body)))
		req, version, err := readReview(body)
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
		if !r.Allowed && (!evaluated || version != "admission.k8s.io/v1" || !mayBeRefused(req)) {
			t.Errorf("refused what was not understood: %s", body)
		}
	})
}

func mayBeRefused(req *admissionv1.AdmissionRequest) bool {
	return req.Resource.Resource == "pods" && req.Kind.Kind == "Pod" && !slices.Contains(harmlessSubresources(), req.SubResource) &&
		(req.Operation == admissionv1.Create || req.Operation == admissionv1.Update)
}

// FuzzHandleWorkload posts anything as a workload to a handler whose evaluator would refuse it: nothing may panic, nothing may
// be refused, and every answer must be one the API server takes.
func FuzzHandleWorkload(f *testing.F) {
	deployment := asJSON(f, aDeployment())
	for _, kind := range []string{"Deployment", "DaemonSet", "CronJob", "Rollout"} {
		f.Add(kind, deployment, deployment)
	}
	f.Add("Deployment", []byte(`{"spec":{"replicas":-1,"template":{"spec":{"volumes":[{"image":{}}]}}}}`), []byte(`null`))
	f.Add("Scale", []byte(`{"metadata":{"name":"x"},"spec":{"replicas":3}}`), []byte(`{"spec":{"replicas":1}}`))
	f.Add("Rollout", []byte(`{"metadata":7,"spec":{"template":[]}}`), []byte(`{}`))
	f.Fuzz(func(t *testing.T, kind string, object, old []byte) {
		h := NewWorkloads(HandlerOptions{
			Evaluator: evaluatorFunc(func(fit.Request) fit.Decision { return refuse }),
			NewestPod: func(corev1.ObjectReference) *corev1.Pod { return aPod() },
			Templates: func(schema.GroupVersionKind) *workload.Paths {
				return &workload.Paths{Template: []string{"spec", "template"}, Replicas: []string{"spec", "replicas"}}
			},
		})
		group := map[string]string{"CronJob": "batch"}[kind]
		if group == "" {
			group = "apps"
		}
		gvk := schema.GroupVersionKind{Group: group, Version: "v1", Kind: kind}
		if !json.Valid(object) || !json.Valid(old) {
			return // the review itself could not be written
		}
		for _, operation := range []admissionv1.Operation{admissionv1.Create, admissionv1.Update} {
			r := post(t, h, reviewOfObject(t, &metav1.ObjectMeta{Name: "n"}, gvk, "things", func(r *admissionv1.AdmissionReview) {
				r.Request.Operation, r.Request.Object.Raw, r.Request.OldObject.Raw = operation, object, old
				if kind == "Scale" {
					r.Request.Resource, r.Request.SubResource = metav1.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"}, "scale"
				}
			}))
			if !r.Allowed {
				t.Errorf("a workload was refused: %s", object)
			}
		}
	})
}
