// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package measure

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/headroom-dev/headroom/hack/bench/load"
	"github.com/headroom-dev/headroom/hack/bench/review"
)

// late is a cluster of one node, and a webhook that learns of what happens to it late.
type late struct {
	after time.Duration

	mu      sync.Mutex // guards the rest
	calls   []string
	verdict string
	since   time.Time
	before  string
}

func (l *late) becomes(verdict string) {
	l.before, l.verdict, l.since = l.verdict, verdict, time.Now()
}

// write is the API server's side.
func (l *late) write(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body) // what is missing of it is no object
	l.mu.Lock()
	defer l.mu.Unlock()
	l.calls = append(l.calls, r.Method+" "+r.URL.Path)
	switch resource := strings.Split(r.URL.Path, "/"); {
	case r.Method == http.MethodPost && resource[len(resource)-1] == "nodes":
		l.becomes("Fits")
	case r.Method == http.MethodPost:
		l.becomes("FillsDisk")
	case r.Method == http.MethodPut:
		var node corev1.Node
		if json.Unmarshal(body, &node) == nil && len(node.Status.Images) == 1 {
			l.becomes("Fits")
		}
	case resource[len(resource)-2] == "nodes":
		l.becomes("Unknown")
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(body) // the client's end tells
}

// answer is the webhook's.
func (l *late) answer(w http.ResponseWriter, _ *http.Request) {
	l.mu.Lock()
	said := l.verdict
	if time.Since(l.since) < l.after {
		said = l.before
	}
	l.mu.Unlock()
	_ = json.NewEncoder(w).Encode(admissionv1.AdmissionReview{Response: &admissionv1.AdmissionResponse{AuditAnnotations: map[string]string{"verdict": said}}})
}

// fresh asks that webhook and writes to that API server.
func (l *late) fresh(t *testing.T) *freshness {
	t.Helper()
	api, hook := httptest.NewServer(http.HandlerFunc(l.write)), httptest.NewTLSServer(http.HandlerFunc(l.answer))
	t.Cleanup(api.Close)
	t.Cleanup(hook.Close)
	client := kubernetes.NewForConfigOrDie(&rest.Config{Host: api.URL, QPS: -1, ContentConfig: rest.ContentConfig{ContentType: "application/json"}})
	f := &freshness{client: client, within: 5 * time.Second}
	var err error
	if f.bodies, err = review.Of(askedPod()); err != nil {
		t.Fatal(err)
	}
	if f.asker, err = load.NewAsker(load.Target{URL: hook.URL}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.asker.Close)
	return f
}

// An event that does not show counts with how long it was waited for: nobody may take the others for all.
func TestAnEventThatDoesNotShowCounts(t *testing.T) {
	l := &late{after: time.Hour, verdict: "Fits", before: "Fits"}
	f := l.fresh(t)
	f.within = 20 * time.Millisecond
	err := f.sample(t.Context(), 0)
	if !errors.Is(err, errNotShown) || !strings.Contains(err.Error(), "a pod that is bound") {
		t.Errorf("error %v", err)
	}
	if len(f.bound) != 1 || f.bound[0] < f.within || len(f.changed) != 0 {
		t.Errorf("%v and %v are counted", f.bound, f.changed)
	}
}

func TestAnEventIsTimedUntilItShows(t *testing.T) {
	l := &late{after: 30 * time.Millisecond, verdict: "Unknown", before: "Unknown"}
	f := l.fresh(t)
	const samples = 3
	for range samples {
		if err := f.sample(t.Context(), 7); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{
		"POST /api/v1/nodes", "POST /api/v1/namespaces/default/pods", "PUT /api/v1/nodes/fresh-7",
		"DELETE /api/v1/namespaces/default/pods/fresh-7", "DELETE /api/v1/nodes/fresh-7",
	}
	if diff := cmp.Diff(want, l.calls[:len(want)]); diff != "" {
		t.Errorf("what was written (-want +got):\n%s", diff)
	}
	for _, took := range [][]time.Duration{f.bound, f.changed} {
		if len(took) != samples {
			t.Fatalf("%d events are timed, want %d", len(took), samples)
		}
		for _, d := range took {
			if d < l.after || d > 5*time.Second {
				t.Errorf("an event took %s to show, want a little more than %s", d, l.after)
			}
		}
	}
}

func TestAnswerWithoutAVerdictIsAnError(t *testing.T) {
	hook := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"response":{"allowed":true}}`)
	}))
	defer hook.Close()
	bodies, err := review.Of(askedPod())
	if err != nil {
		t.Fatal(err)
	}
	asker, err := load.NewAsker(load.Target{URL: hook.URL})
	if err != nil {
		t.Fatal(err)
	}
	defer asker.Close()
	if said, err := (&freshness{asker: asker, bodies: bodies}).verdict(t.Context()); err == nil || !strings.Contains(err.Error(), "without a verdict") {
		t.Errorf("got %q, %v", said, err)
	}
}
