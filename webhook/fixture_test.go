// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus/testutil"
	admissionv1 "k8s.io/api/admission/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utiljson "k8s.io/apimachinery/pkg/util/json"

	"github.com/headroom-dev/headroom/fit"
	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/webhook/decode"
)

const requestUID = "705ab4f5-6393-11e8-b7cc-42010a800002"

// script answers with one decision after the other, then with the last one again.
type script struct {
	mu        sync.Mutex
	decisions []fit.Decision
	requests  []fit.Request
}

func (s *script) Evaluate(r fit.Request) fit.Decision {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, r)
	if len(s.decisions) == 0 {
		return fit.Decision{}
	}
	return s.decisions[min(len(s.requests), len(s.decisions))-1]
}

func (s *script) asked() []fit.Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests
}

type evaluatorFunc func(fit.Request) fit.Decision

func (f evaluatorFunc) Evaluate(r fit.Request) fit.Decision { return f(r) }

func aPod(change ...func(*corev1.Pod)) *corev1.Pod {
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "llm", Namespace: "team-a", UID: "11111111-2222-3333-4444-555555555555"},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "vllm/vllm-openai:v0.9"}}},
	}
	for _, f := range change {
		f(pod)
	}
	return pod
}

var deploymentKind = schema.GroupVersionKind{Group: "apps", Version: "v1", Kind: "Deployment"}

func aDeployment(change ...func(*appsv1.Deployment)) *appsv1.Deployment {
	d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: "llm", Namespace: "team-a", UID: "66666666-7777-8888-9999-000000000000"}}
	d.Spec.Template.Spec = aPod().Spec
	for _, f := range change {
		f(d)
	}
	return d
}

func reviewOf(t testing.TB, pod *corev1.Pod, change ...func(*admissionv1.AdmissionReview)) []byte {
	t.Helper()
	return reviewOfObject(t, pod, schema.GroupVersionKind{Version: "v1", Kind: "Pod"}, "pods", change...)
}

// reviewOfObject is the review of a creation, unless change says otherwise.
func reviewOfObject(t testing.TB, object metav1.Object, kind schema.GroupVersionKind, resource string, change ...func(*admissionv1.AdmissionReview)) []byte {
	t.Helper()
	raw := asJSON(t, object)
	review := &admissionv1.AdmissionReview{
		TypeMeta: metav1.TypeMeta{APIVersion: "admission.k8s.io/v1", Kind: "AdmissionReview"},
		Request: &admissionv1.AdmissionRequest{
			UID:       requestUID,
			Kind:      metav1.GroupVersionKind(kind),
			Resource:  metav1.GroupVersionResource{Group: kind.Group, Version: kind.Version, Resource: resource},
			Operation: admissionv1.Create,
			Namespace: "team-a",
			Name:      object.GetName(),
			Object:    runtime.RawExtension{Raw: raw},
		},
	}
	for _, f := range change {
		f(review)
	}
	return asJSON(t, review)
}

// readReview reads a review with the typed decoder.
func readReview(body []byte) (*admissionv1.AdmissionRequest, string, error) {
	var review admissionv1.AdmissionReview
	switch err := utiljson.Unmarshal(body, &review); {
	case err != nil:
		return nil, "", err
	case review.Request == nil || review.Request.UID == "":
		return nil, "", decode.ErrNoRequest
	default:
		return review.Request, review.APIVersion, nil
	}
}

func asJSON(t testing.TB, object any) []byte {
	t.Helper()
	raw, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// updateOf makes the review one of an update that replaced old.
func updateOf(t testing.TB, old any) func(*admissionv1.AdmissionReview) {
	t.Helper()
	raw := asJSON(t, old)
	return func(r *admissionv1.AdmissionReview) {
		r.Request.Operation, r.Request.OldObject.Raw = admissionv1.Update, raw
	}
}

// subresource makes the review one of a part of the object.
func subresource(name string) func(*admissionv1.AdmissionReview) {
	return func(r *admissionv1.AdmissionReview) { r.Request.SubResource = name }
}

func dryRun(r *admissionv1.AdmissionReview) { r.Request.DryRun = new(true) }

// post sends body as the API server does, and returns a response that the API server would take.
func post(t testing.TB, h http.Handler, body []byte) *admissionv1.AdmissionResponse {
	t.Helper()
	return postWithin(t, h, body, "2s")
}

// postWithin is post with another time that the API server gives.
func postWithin(t testing.TB, h http.Handler, body []byte, timeout string) *admissionv1.AdmissionResponse {
	t.Helper()
	recorder := httptest.NewRecorder()
	h.ServeHTTP(recorder, httptest.NewRequestWithContext(t.Context(), http.MethodPost, PodsPath+"?timeout="+timeout, bytes.NewReader(body)))
	if recorder.Code != http.StatusOK {
		t.Fatalf("HTTP status %d, want 200: %s", recorder.Code, recorder.Body)
	}
	return verify(t, requestUID, recorder.Body.Bytes())
}

var annotationKey = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$`)

// verify holds an answer against what the API server demands of one to a validating webhook: what VerifyAdmissionResponse
// refuses, what it logs and drops (annotation keys), and what it drops silently (warnings with control characters).
func verify(t testing.TB, uid string, body []byte) *admissionv1.AdmissionResponse {
	t.Helper()
	var review admissionv1.AdmissionReview
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&review); err != nil {
		t.Fatalf("the answer is not an AdmissionReview: %v\n%s", err, body)
	}
	r := review.Response
	if r == nil {
		t.Fatalf("the answer has no response: %s", body)
	}
	if review.APIVersion != "admission.k8s.io/v1" || review.Kind != "AdmissionReview" {
		t.Errorf("answer of %s %s, want admission.k8s.io/v1 AdmissionReview", review.APIVersion, review.Kind)
	}
	if string(r.UID) != uid {
		t.Errorf("response.uid is %q, want %q", r.UID, uid)
	}
	if r.Patch != nil || r.PatchType != nil {
		t.Errorf("a validating webhook may not patch: %s", body)
	}
	for key, value := range r.AuditAnnotations {
		if !annotationKey.MatchString(key) {
			t.Errorf("audit annotation key %q is not a name", key)
		}
		oneLineOrError(t, "audit annotation "+key, value)
	}
	if len(r.Warnings) > 1 {
		t.Errorf("%d warnings, want one at most: %q", len(r.Warnings), r.Warnings)
	}
	for _, w := range r.Warnings {
		oneLineOrError(t, "warning", w)
	}
	if r.Allowed && r.Result != nil {
		t.Errorf("an admitted pod has a result: %v", r.Result)
	}
	if !r.Allowed {
		verifyRefusal(t, r)
	}
	return r
}

func verifyRefusal(t testing.TB, r *admissionv1.AdmissionResponse) {
	t.Helper()
	if len(r.Warnings) > 0 {
		t.Errorf("a refused pod has warnings: %q", r.Warnings)
	}
	s := r.Result
	if s == nil || s.Code != http.StatusForbidden || s.Reason != metav1.StatusReasonForbidden || s.Status != metav1.StatusFailure {
		t.Fatalf("result is %+v, want a Failure with 403 Forbidden", s)
	}
	oneLineOrError(t, "message", s.Message)
	if s.Details == nil || s.Details.Kind != "pods" || s.Details.Name == "" || len(s.Details.Causes) != 1 {
		t.Fatalf("details are %+v, want kind, name and one cause", s.Details)
	}
	if cause := s.Details.Causes[0]; cause.Field != "spec" && cause.Field != "target.name" || cause.Message != s.Message {
		t.Errorf("cause is %+v, want field spec, or target.name of a binding, and the message", cause)
	}
}

func oneLineOrError(t testing.TB, what, text string) {
	t.Helper()
	if text == "" || !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl) || utf8.RuneCountInString(text) > 256 {
		t.Errorf("%s is not one line of 1 to 256 characters: %q", what, text)
	}
}

func refs(t testing.TB, names ...string) []imageref.Ref {
	t.Helper()
	var all []imageref.Ref
	for _, name := range names {
		ref, err := imageref.Parse(name)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, ref)
	}
	return all
}

// counted checks one series of a counter.
func counted(t testing.TB, m *Metrics, want float64, labels ...string) {
	t.Helper()
	if got := testutil.ToFloat64(m.undecidedBy.WithLabelValues(labels...)); got != want {
		t.Errorf("undecided_total%v is %v, want %v", labels, got, want)
	}
}

func decodeAnswer(t testing.TB, body []byte) *admissionv1.AdmissionResponse {
	t.Helper()
	var review admissionv1.AdmissionReview
	if err := json.Unmarshal(body, &review); err != nil || review.Response == nil {
		t.Fatalf("the answer is not an AdmissionReview with a response: %v\n%s", err, body)
	}
	return review.Response
}
