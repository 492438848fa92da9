// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"slices"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/headroom-dev/headroom/fit"
	"github.com/headroom-dev/headroom/policy"
)

// TestPathOfEveryRule: a review that is at hand goes where the API server would post it, by the rules of the configuration.
func TestPathOfEveryRule(t *testing.T) {
	paths := Webhooks(func(path string) admissionregistrationv1.WebhookClientConfig {
		return admissionregistrationv1.WebhookClientConfig{URL: &path}
	})
	asked := 0
	for _, w := range paths {
		for _, rule := range w.Rules {
			for _, name := range rule.Resources {
				req := &admissionv1.AdmissionRequest{Operation: admissionv1.Create, Resource: metav1.GroupVersionResource{Group: rule.APIGroups[0], Version: rule.APIVersions[0]}}
				req.Resource.Resource, req.SubResource, _ = strings.Cut(name, "/")
				if got := PathOf(req); got != *w.ClientConfig.URL {
					t.Errorf("%s %v: %s, want %s", name, rule.APIGroups, got, *w.ClientConfig.URL)
				}
				asked++
			}
		}
	}
	if asked < 10 {
		t.Errorf("only %d resources in all rules", asked)
	}
	if got := PathOf(&admissionv1.AdmissionRequest{Resource: metav1.GroupVersionResource{Group: "example.com", Version: "v1", Resource: "rollouts"}}); got != WorkloadsPath {
		t.Errorf("a kind of one's own: %s, want %s", got, WorkloadsPath)
	}
}

// TestReviewIsWhatIsPosted: the same answer with and without HTTP, by the handler's sources or by the review's own.
func TestReviewIsWhatIsPosted(t *testing.T) {
	deny := fit.Decision{Action: fit.Deny, Mode: policy.Enforce, Verdict: "EvictsPods", Message: "image storage: too much", CauseCode: "EvictsPods"}
	h := NewPods(HandlerOptions{Evaluator: &script{decisions: []fit.Decision{deny}}})
	posted := post(t, h, reviewOf(t, aPod()))
	request, version, err := readReview(reviewOf(t, aPod()))
	if err != nil {
		t.Fatal(err)
	}
	review := &admissionv1.AdmissionReview{TypeMeta: metav1.TypeMeta{APIVersion: version}, Request: request}
	answer, err := h.Review(t.Context(), review)
	if err != nil {
		t.Fatal(err)
	}
	if answer.Decision == nil || answer.Response.Allowed || posted.Allowed || answer.Response.Result.Message != posted.Result.Message {
		t.Errorf("the review is answered %+v, posted it is %+v", answer.Response, posted)
	}
	own := &Sources{Evaluator: evaluatorFunc(func(r fit.Request) fit.Decision {
		return fit.Decision{Action: fit.Allow, Verdict: "Fits", Mode: policy.Warn, PolicyVersion: "own", Message: r.NamespaceMode}
	}), NamespaceMode: func(string) string { return "own" }}
	answer, err = h.Review(WithSources(t.Context(), own), review)
	if err != nil || answer.Decision.Message != "own" || answer.Response.AuditAnnotations[policyKey] != "Warn@own" {
		t.Errorf("by its own sources it is answered %+v, %v", answer.Response, err)
	}
	for what, broken := range map[string]*admissionv1.AdmissionReview{"no request": {}, "no UID": {Request: &admissionv1.AdmissionRequest{}}} {
		if _, err := h.Review(t.Context(), broken); err == nil || !slices.Contains(strings.Fields(err.Error()), "request.uid") {
			t.Errorf("%s: %v", what, err)
		}
	}
}
