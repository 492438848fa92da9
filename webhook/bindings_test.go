// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"
	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

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
	SendBack: true, Mode: policy.Enforce, Pod: "pod-uid", Verdict: verdict.EvictsPods, Other: "worker-2", Message: "the node is too full", CauseCode: "code",
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

func TestBindingSentBack(t *testing.T) {
	s, m := &steerer{answer: tooFull}, NewMetrics(nil)
	h := NewBindings(HandlerOptions{
		Metrics: m, NamespaceMode: func(ns string) string { return "mode of " + ns }, PolicyVersion: func() string { return "v1" },
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
		"action": "SendBack", "node": "worker-1", "verdict": "EvictsPods", "policy": "Enforce@v1", "need": "7/7/7", "projected": "-5/-4/-3", "tier": "Measured",
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

func TestBindingLetThrough(t *testing.T) {
	because := func(r fit.Reason) fit.Steering {
		d := tooFull
		d.SendBack, d.Reason, d.Message, d.CauseCode = false, r, "", ""
		return d
	}
	raw := func(text string) func(*admissionv1.AdmissionReview) {
		return func(r *admissionv1.AdmissionReview) { r.Request.Object.Raw = []byte(text) }
	}
	asked := func(change func(*admissionv1.AdmissionRequest)) func(*admissionv1.AdmissionReview) {
		return func(r *admissionv1.AdmissionReview) { change(r.Request) }
	}
	same := func(*admissionv1.AdmissionReview) {}
	exempt := because(fit.ExemptPod)
	exempt.Exemption = "namespace"
	excepted := because(fit.Excepted)
	excepted.Exception = "llm-move"
	modeOff, nobody, fine := tooFull, tooFull, tooFull
	modeOff.Mode, nobody.Pod, fine.Verdict = policy.Off, "", verdict.Fits
	for what, c := range map[string]struct {
		answer fit.Steering
		reason fit.Reason
		change func(*admissionv1.AdmissionReview)

		outcome    string
		annotation [2]string
	}{
		"an exception is for it":        {excepted, "", same, "excepted", [2]string{"exception", "llm-move"}},
		"it fits":                       {because(""), "", same, "fits", [2]string{"verdict", "EvictsPods"}},
		"there is no other node":        {because(fit.NoOtherNode), "", same, "no-other-node", [2]string{"undecided", "no-other-node"}},
		"the pod is not known":          {because(fit.UnknownPod), "", same, "unknown-pod", [2]string{"undecided", "unknown-pod"}},
		"the namespace is exempt":       {exempt, "", same, "exempt", [2]string{"exempt", "namespace"}},
		"steering is off":               {because(fit.ModeOff), "", same, "off", [2]string{"exempt", "off"}},
		"a reason that nobody knows of": {because("weird\n"), "", same, "other", [2]string{"undecided", "weird"}},
		"it was sent back often enough": {tooFull, LimitReached, same, "limit", [2]string{"undecided", "limit"}},
		"the counts are not known":      {tooFull, NotReady, same, "not-ready", [2]string{"undecided", "not-ready"}},
		"too many nodes":                {tooFull, Busy, same, "busy", [2]string{"undecided", "busy"}},
		"no grounds for it":             {fine, "", same, "inconsistent", [2]string{"undecided", "inconsistent"}},
		"the mode is off after all":     {modeOff, "", same, "inconsistent", [2]string{"undecided", "inconsistent"}},
		"a pod without a UID":           {nobody, "", same, "inconsistent", [2]string{"undecided", "inconsistent"}},
		"what is no binding":            {tooFull, "", raw(`{"target":7}`), "undecided", [2]string{"undecided", "undecodable"}},
		"a target that is no node":      {tooFull, "", raw(`{"target":{"kind":"Cloud","name":"x"}}`), "undecided", [2]string{"undecided", "undecodable"}},
		"a pod":                         {tooFull, "", asked(func(r *admissionv1.AdmissionRequest) { r.SubResource = "" }), "undecided", [2]string{"undecided", "unexpected-request"}},
		"another subresource":           {tooFull, "", asked(func(r *admissionv1.AdmissionRequest) { r.SubResource = "eviction" }), "undecided", [2]string{"undecided", "unexpected-request"}},
		"a binding of another group":    {tooFull, "", asked(func(r *admissionv1.AdmissionRequest) { r.Resource.Group = "x.io" }), "undecided", [2]string{"undecided", "unexpected-request"}},
		"an update":                     {tooFull, "", asked(func(r *admissionv1.AdmissionRequest) { r.Operation = admissionv1.Update }), "undecided", [2]string{"undecided", "unexpected-request"}},
		"a version of the future":       {tooFull, "", func(r *admissionv1.AdmissionReview) { r.APIVersion = "admission.k8s.io/v2" }, "undecided", [2]string{"undecided", "unknown-version"}},
	} {
		t.Run(what, func(t *testing.T) {
			s, m := &steerer{answer: c.answer, reason: c.reason}, NewMetrics(nil)
			r := postBinding(t, NewBindings(HandlerOptions{Metrics: m}, s.options()), bindingReview(t, c.change))
			if !r.Allowed {
				t.Errorf("sent back: %s", r.Result.Message)
			}
			if got := r.AuditAnnotations[c.annotation[0]]; got != c.annotation[1] || r.AuditAnnotations["action"] != "Allow" {
				t.Errorf("annotations are %v, want %s=%s", r.AuditAnnotations, c.annotation[0], c.annotation[1])
			}
			countedBinding(t, m, c.outcome)
			if c.reason == "" && len(s.backs) > 0 {
				t.Errorf("SendBack was asked: %v", s.backs)
			}
		})
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

// A binding that is let through is told to those after it, for as long as the ledger may not have it.
func TestBindingsKnowOfThoseBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &steerer{}
		h := NewBindings(HandlerOptions{}, s.options())
		bind := func(pod, node string, answer fit.Steering, change ...func(*admissionv1.AdmissionReview)) []types.UID {
			s.answer = answer
			s.answer.Pod = types.UID(pod)
			change = append(change, func(r *admissionv1.AdmissionReview) {
				r.Request.Object.Raw = []byte(`{"target":{"name":"` + node + `"}}`)
			})
			postBinding(t, h, bindingReview(t, change...))
			return s.bindings[len(s.bindings)-1].Before
		}
		fits := fit.Steering{Verdict: verdict.Fits, Mode: policy.Enforce}
		for _, step := range []struct {
			pod, node string
			answer    fit.Steering
			change    func(*admissionv1.AdmissionReview)
			want      []types.UID
		}{
			{"a", "n", fits, nil, nil},
			{"b", "n", fits, dryRun, []types.UID{"a"}},
			{"c", "n", tooFull, nil, []types.UID{"a"}},
			{"", "n", fits, nil, []types.UID{"a"}},
			{"d", "m", fits, nil, nil},
			{"e", "n", fits, nil, []types.UID{"a"}},
			{"f", "n", fits, nil, []types.UID{"a", "e"}},
			{"a", "n", tooFull, nil, []types.UID{"a", "e", "f"}},
			{"e", "n", fits, nil, []types.UID{"e", "f"}},
		} {
			changes := []func(*admissionv1.AdmissionReview){}
			if step.change != nil {
				changes = append(changes, step.change)
			}
			if diff := cmp.Diff(step.want, bind(step.pod, step.node, step.answer, changes...)); diff != "" {
				t.Errorf("%s to %s: before it went (-want +got):\n%s", step.pod, step.node, diff)
			}
		}
		time.Sleep(recentFor - time.Second)
		bind("g", "n", fits)
		time.Sleep(time.Second)
		if diff := cmp.Diff([]types.UID{"g"}, bind("h", "n", fits)); diff != "" {
			t.Errorf("after %v: before it went (-want +got):\n%s", recentFor, diff)
		}
	})
	var many recentBindings
	for i := range 2 * maxRecent {
		many.judged("n", types.UID(strconv.Itoa(i%(maxRecent+1))), true, time.Time{})
	}
	if len(many.all) != maxRecent {
		t.Errorf("%d are remembered, want %d", len(many.all), maxRecent)
	}
}

// The informer may be later than the scheduler, for a moment.
func TestBindingOfAPodThatIsNotKnownYet(t *testing.T) {
	unknown := fit.Steering{Mode: policy.Enforce, Verdict: verdict.Unknown, Reason: fit.UnknownPod}
	for what, c := range map[string]struct {
		knownAfter time.Duration
		change     func(*admissionv1.AdmissionReview)
		sendBack   bool
		took       time.Duration
	}{
		"it is known soon":        {95 * time.Millisecond, func(*admissionv1.AdmissionReview) {}, true, 100 * time.Millisecond},
		"it is known too late":    {time.Second, func(*admissionv1.AdmissionReview) {}, false, unknownWait},
		"a dry run does not wait": {95 * time.Millisecond, dryRun, false, 0},
	} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start, m := time.Now(), NewMetrics(nil)
				h := NewBindings(HandlerOptions{Metrics: m}, Bindings{
					Steer: func(fit.Binding) fit.Steering {
						if time.Since(start) < c.knownAfter {
							return unknown
						}
						return tooFull
					},
					SendBack: func(SendBack) fit.Reason { return "" },
				})
				r := postBinding(t, h, bindingReview(t, c.change))
				if took := time.Since(start); r.Allowed == c.sendBack || took != c.took {
					t.Errorf("allowed %v after %v, want %v after %v", r.Allowed, took, !c.sendBack, c.took)
				}
				outcome := "unknown-pod"
				if c.sendBack {
					outcome = "sent-back"
				}
				countedBinding(t, m, outcome)
			})
		})
	}
}

// One that never ends keeps no other from being let through.
func TestBindingThatNeverEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, stuck := NewMetrics(nil), make(chan struct{})
		h := NewBindings(HandlerOptions{Metrics: m}, Bindings{Steer: func(fit.Binding) fit.Steering { <-stuck; return fit.Steering{} }})
		var running sync.WaitGroup
		for range 3 {
			running.Go(func() {
				if r := postBinding(t, h, bindingReview(t)); !r.Allowed || r.AuditAnnotations["undecided"] != "timeout" {
					t.Errorf("allowed %v, annotations %v", r.Allowed, r.AuditAnnotations)
				}
			})
		}
		running.Wait()
		if n := testutil.ToFloat64(m.bindings.WithLabelValues("undecided")); n != 3 {
			t.Errorf("%v undecided, want 3", n)
		}
		close(stuck)
		synctest.Wait()
	})
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
		req, version, err := readReview(bytes.NewReader(body))
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
