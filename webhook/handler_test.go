// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"
	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/headroom-dev/headroom/fit"
	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/policy"
	"github.com/headroom-dev/headroom/verdict"
)

func TestMain(m *testing.M) {
	if served := os.Getenv(servedVariable); served != "" {
		serveForBenchmark(served)
		return
	}
	goleak.VerifyTestMain(m)
}

var refuse = fit.Decision{Action: fit.Deny, Verdict: verdict.NeverFits, Mode: policy.Enforce, Message: "no", CauseCode: "c"}

// TestFailsOpen: an evaluator that would refuse everything never gets to refuse what was not understood.
func TestFailsOpen(t *testing.T) {
	pod := aPod()
	cases := map[string]struct {
		evaluator Evaluator
		body      []byte
		reason    string
	}{
		"a pod that can't be decoded": {
			body: reviewOf(t, pod, func(r *admissionv1.AdmissionReview) { r.Request.Object.Raw = []byte(`{"spec":{"containers":7}}`) }), reason: "undecodable",
		},
		"no pod": {
			body: reviewOf(t, pod, func(r *admissionv1.AdmissionReview) { r.Request.Object.Raw = nil }), reason: "undecodable",
		},
		"a version of the future": {
			body: reviewOf(t, pod, func(r *admissionv1.AdmissionReview) { r.APIVersion = "admission.k8s.io/v2" }), reason: "unknown-version",
		},
		"no version": {
			body: reviewOf(t, pod, func(r *admissionv1.AdmissionReview) { r.APIVersion = "" }), reason: "unknown-version",
		},
		"another resource": {
			body: reviewOf(t, pod, func(r *admissionv1.AdmissionReview) { r.Request.Resource.Resource = "secrets" }), reason: "unexpected-request",
		},
		"an update that does not say what the pod was": {
			body: reviewOf(t, pod, func(r *admissionv1.AdmissionReview) { r.Request.Operation = admissionv1.Update }), reason: "undecodable",
		},
		"a deletion": {
			body: reviewOf(t, pod, func(r *admissionv1.AdmissionReview) { r.Request.Operation = admissionv1.Delete }), reason: "unexpected-request",
		},
		"a subresource of another kind": {
			body: reviewOf(t, pod, func(r *admissionv1.AdmissionReview) {
				r.Request.SubResource, r.Request.Kind.Kind = "checkpoint", "Checkpoint"
			}), reason: "unexpected-request",
		},
		"a panic": {
			evaluator: evaluatorFunc(func(fit.Request) fit.Decision { panic("line one\nline two") }), body: reviewOf(t, pod), reason: "panic",
		},
		"a panic of the runtime": {
			evaluator: evaluatorFunc(func(fit.Request) fit.Decision { return []fit.Decision{}[len(pod.Name)] }), body: reviewOf(t, pod), reason: "panic",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			m := NewMetrics(nil)
			if tc.evaluator == nil {
				tc.evaluator = &script{decisions: []fit.Decision{refuse}}
			}
			r := post(t, NewPods(HandlerOptions{Evaluator: tc.evaluator, Metrics: m}), tc.body)
			if !r.Allowed || len(r.Warnings) > 0 {
				t.Errorf("response is %+v, want admitted without warnings", r)
			}
			if r.AuditAnnotations["undecided"] != tc.reason || r.AuditAnnotations["error"] == "" {
				t.Errorf("annotations are %v, want undecided: %s and an error", r.AuditAnnotations, tc.reason)
			}
			counted(t, m, 1, "pods", tc.reason)
			if got, want := testutil.ToFloat64(m.panics), strings.Count(tc.reason, "panic"); got != float64(want) {
				t.Errorf("panics_total is %v, want %d", got, want)
			}
		})
	}
}

func TestWhatIsNoReviewGetsAnHTTPError(t *testing.T) {
	cases := map[string]struct {
		method string
		body   io.Reader
		want   int
	}{
		"garbage":         {http.MethodPost, strings.NewReader("{"), http.StatusBadRequest},
		"nothing":         {http.MethodPost, strings.NewReader(""), http.StatusBadRequest},
		"no request":      {http.MethodPost, strings.NewReader(`{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1"}`), http.StatusBadRequest},
		"no uid":          {http.MethodPost, strings.NewReader(`{"request":{"operation":"CREATE"}}`), http.StatusBadRequest},
		"a broken stream": {http.MethodPost, iotest.ErrReader(errors.New("gone")), http.StatusBadRequest},
		"8 MiB":           {http.MethodPost, bytes.NewReader(bytes.Repeat([]byte(" "), 8<<20)), http.StatusRequestEntityTooLarge},
		"a browser":       {http.MethodGet, nil, http.StatusMethodNotAllowed},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			m := NewMetrics(nil)
			w := httptest.NewRecorder()
			NewPods(HandlerOptions{Evaluator: &script{decisions: []fit.Decision{refuse}}, Metrics: m}).
				ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), tc.method, PodsPath, tc.body))
			if w.Code != tc.want {
				t.Errorf("HTTP status %d, want %d: %s", w.Code, tc.want, w.Body)
			}
			want := 1.0
			if tc.method == http.MethodGet {
				want = 0
			}
			counted(t, m, want, "pods", "unreadable")
		})
	}
}

// TestLargeRequestsAreBounded: bodies that never end hold the places for large ones, and nothing else.
func TestLargeRequestsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := NewMetrics(nil)
		h := NewPods(HandlerOptions{Evaluator: &script{decisions: []fit.Decision{refuse}}, Metrics: m})
		send := func(body io.Reader) *httptest.ResponseRecorder {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, PodsPath+"?timeout=2s", body))
			return w
		}
		var trickling sync.WaitGroup
		body, end := io.Pipe() // its length is not known
		for range maxLargeBodies {
			trickling.Go(func() { send(body) })
		}
		synctest.Wait()
		large := aPod(func(p *corev1.Pod) { p.Annotations = map[string]string{"a": strings.Repeat("x", largeBodyBytes)} })
		start := time.Now()
		if r := post(t, h, reviewOf(t, large)); !r.Allowed || r.AuditAnnotations["undecided"] != "overloaded" || time.Since(start) != 500*time.Millisecond {
			t.Errorf("after %v, one more got %+v, want admitted for overload after a quarter of 2s", time.Since(start), r)
		}
		counted(t, m, 1, "pods", "overloaded")
		if w := send(bytes.NewReader(bytes.Repeat([]byte(" "), largeBodyBytes+1))); w.Code != http.StatusServiceUnavailable {
			t.Errorf("HTTP status %d for one more without a UID, want 503", w.Code)
		}
		counted(t, m, 2, "pods", "overloaded")
		if r := post(t, h, reviewOf(t, aPod())); r.Allowed {
			t.Error("an ordinary request was not judged meanwhile")
		}
		_ = end.Close()
		trickling.Wait()
		if r := post(t, h, reviewOf(t, large)); r.Allowed {
			t.Error("a large request was not judged afterwards")
		}
	})
}

func TestAnEvaluationThatHangsAdmitsInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		m := NewMetrics(nil)
		h := NewPods(HandlerOptions{Metrics: m, Evaluator: evaluatorFunc(func(fit.Request) fit.Decision { <-release; return refuse })})
		start := time.Now()
		// One more than there are slots: the last one waits for a slot in vain.
		for range cap(h.Limits.slots) + 1 {
			if r := post(t, h, reviewOf(t, aPod())); !r.Allowed || r.AuditAnnotations["undecided"] != "timeout" {
				t.Fatalf("response is %+v, want admitted for timeout", r)
			}
		}
		want := time.Duration(cap(h.Limits.slots)+1) * 1800 * time.Millisecond
		if took := time.Since(start); took != want {
			t.Errorf("took %s, want %s: nine tenths of the API server's timeout each", took, want)
		}
		counted(t, m, float64(cap(h.Limits.slots)+1), "pods", "timeout")
		close(release)
		synctest.Wait()
	})
}

// waiter waits for took, or until it is told to stop; at once it refuses.
type waiter struct {
	took   time.Duration
	refuse bool
	asked  [][]imageref.Ref
}

func (w *waiter) Wait(ctx context.Context, images []imageref.Ref) bool {
	w.asked = append(w.asked, images)
	if w.refuse {
		return false
	}
	select {
	case <-time.After(w.took):
		return true
	case <-ctx.Done():
		return false
	}
}

func TestSizeWait(t *testing.T) {
	unsized := refs(t, "a", "b")
	open := fit.Decision{Action: fit.Allow, Verdict: verdict.Unknown, Reason: fit.UnknownSize, Mode: policy.Enforce, Unsized: unsized, WaitFor: unsized[:1]}
	with := func(change func(*fit.Decision)) fit.Decision { d := open; change(&d); return d }
	cases := map[string]struct {
		first    fit.Decision
		waiter   *waiter
		sizeWait time.Duration
		dryRun   bool
		noWant   bool
		took     time.Duration
		outcome  string
		allowed  bool
	}{
		"a size that arrives refuses": {
			first: open, waiter: &waiter{took: 300 * time.Millisecond}, sizeWait: 500 * time.Millisecond,
			took: 300 * time.Millisecond, outcome: waitAnswered,
		},
		"a size that is late admits": {
			first: open, waiter: &waiter{took: time.Minute}, sizeWait: 500 * time.Millisecond,
			took: 500 * time.Millisecond, outcome: waitTimedOut, allowed: true,
		},
		"no wait is longer than half of the request's time": {
			first: open, waiter: &waiter{took: time.Minute}, sizeWait: time.Minute,
			took: time.Second, outcome: waitTimedOut, allowed: true,
		},
		"too many wait already": {
			first: open, waiter: &waiter{refuse: true}, sizeWait: 500 * time.Millisecond, outcome: waitRefused, allowed: true,
		},
		"dry runs have no effect and wait for nothing": {
			first: open, waiter: &waiter{}, sizeWait: 500 * time.Millisecond, dryRun: true, noWant: true, allowed: true,
		},
		"only Enforce waits": {
			first: with(func(d *fit.Decision) { d.Mode = policy.Warn }), waiter: &waiter{}, sizeWait: 500 * time.Millisecond, allowed: true,
		},
		"a size that changes nothing is not waited for": {
			first: with(func(d *fit.Decision) { d.WaitFor = nil }), waiter: &waiter{}, sizeWait: 500 * time.Millisecond, allowed: true,
		},
		"no wait was asked for": {first: open, waiter: &waiter{}, allowed: true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := NewMetrics(nil)
				var wanted []imageref.Ref
				h := NewPods(HandlerOptions{
					Evaluator: &script{decisions: []fit.Decision{tc.first, refuse}}, Metrics: m,
					Sizes: tc.waiter, SizeWait: tc.sizeWait, Want: func(images []imageref.Ref) { wanted = append(wanted, images...) },
				})
				var change []func(*admissionv1.AdmissionReview)
				if tc.dryRun {
					change = append(change, dryRun)
				}
				start := time.Now()
				r := post(t, h, reviewOf(t, aPod(), change...))
				if took := time.Since(start); took != tc.took {
					t.Errorf("took %s, want %s", took, tc.took)
				}
				if r.Allowed != tc.allowed {
					t.Errorf("allowed is %v, want %v", r.Allowed, tc.allowed)
				}
				var asked [][]imageref.Ref
				if tc.outcome != "" {
					asked = [][]imageref.Ref{unsized[:1]}
					if got := testutil.ToFloat64(m.sizeWaits.WithLabelValues(tc.outcome)); got != 1 {
						t.Errorf("size_waits_total{outcome=%q} is %v, want 1", tc.outcome, got)
					}
				}
				if diff := cmp.Diff(fmt.Sprint(asked), fmt.Sprint(tc.waiter.asked)); diff != "" {
					t.Errorf("waited for (-want +got):\n%s", diff)
				}
				if want := !tc.noWant; (len(wanted) == 2) != want {
					t.Errorf("resolver was told %v", wanted)
				}
			})
		})
	}
}

func TestMetricsAreClean(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	m := NewMetrics(registry)
	problems, err := testutil.GatherAndLint(registry)
	if err != nil || len(problems) > 0 {
		t.Errorf("metrics: %v, %v", problems, err)
	}
	before := testutil.CollectAndCount(m.decisions)
	m.decided(podsLabel, refuse)
	m.decided(workloadsLabel, fit.Decision{Verdict: verdict.Fits, Mode: policy.Audit, Action: fit.Allow})
	if after := testutil.CollectAndCount(m.decisions); before != after || before == 0 {
		t.Errorf("decisions_total had %d series and has %d after decisions: all should have been there", before, after)
	}
}
