// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	admissionv1 "k8s.io/api/admission/v1"

	"github.com/headroom-dev/headroom/fit"
)

// TestTooManyAtOnce: what comes when as many requests are judged as can be is admitted at once, and judged again later.
func TestTooManyAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := NewMetrics(nil)
		release := make(chan struct{})
		h := NewPods(HandlerOptions{Metrics: m, Evaluator: evaluatorFunc(func(fit.Request) fit.Decision { <-release; return refuse })})
		h.Limits.mostInFlight = 3
		var judged sync.WaitGroup
		for range 3 {
			judged.Go(func() {
				if r := post(t, h, reviewOf(t, aPod())); r.Allowed {
					t.Error("a request that came in time was not judged")
				}
			})
		}
		synctest.Wait()
		start := time.Now()
		for range 5 {
			if r := post(t, h, reviewOf(t, aPod())); !r.Allowed || r.AuditAnnotations["undecided"] != "overloaded" || r.AuditAnnotations["error"] == "" {
				t.Errorf("one more got %+v, want admitted for overload", r)
			}
		}
		noUID := reviewOf(t, aPod(), func(r *admissionv1.AdmissionReview) { r.Request.UID = "" })
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, PodsPath, bytes.NewReader(noUID)))
		if w.Code != http.StatusServiceUnavailable {
			t.Errorf("HTTP status %d for one that can't be answered, want 503", w.Code)
		}
		if waited := time.Since(start); waited != 0 {
			t.Errorf("that took %v, want no time", waited)
		}
		counted(t, m, 6, "pods", "overloaded")
		close(release)
		judged.Wait()
		if r := post(t, h, reviewOf(t, aPod())); r.Allowed {
			t.Error("a request that came afterwards was not judged")
		}
		counted(t, m, 6, "pods", "overloaded")
	})
}

// TestTooLargeIsNotRead: of a body that is said to be too large, nothing is read.
func TestTooLargeIsNotRead(t *testing.T) {
	read := &countingReader{}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, PodsPath, read)
	r.ContentLength = maxBodyBytes + 1
	w := httptest.NewRecorder()
	NewPods(HandlerOptions{Evaluator: &script{}}).ServeHTTP(w, r)
	if w.Code != http.StatusRequestEntityTooLarge || read.bytes > 0 {
		t.Errorf("HTTP status %d after %d bytes, want 413 after none", w.Code, read.bytes)
	}
}

// countingReader is a body that never ends.
type countingReader struct{ bytes int }

func (c *countingReader) Read(p []byte) (int, error) {
	c.bytes += len(p)
	return len(p), nil
}

// TestBuffersGrowWithWhatComes: a client gets as much memory as it has sent, not as it says it will, and a large one is not kept.
func TestBuffersGrowWithWhatComes(t *testing.T) {
	b, _ := buffers.New().(*buffer) // not one that has grown before
	if err := b.readAll(strings.NewReader("short")); err != nil || string(b.bytes) != "short" || cap(b.bytes) > ordinaryBytes {
		t.Errorf("%q with room for %d, %v", b.bytes, cap(b.bytes), err)
	}
	text := strings.Repeat("x", 5*ordinaryBytes)
	if err := b.readAll(io.MultiReader(strings.NewReader(text), strings.NewReader("end"))); err != nil || string(b.bytes) != text+"end" {
		t.Errorf("%d bytes of %d, %v", len(b.bytes), len(text)+3, err)
	}
	if most := 4 * len(text); cap(b.bytes) > most {
		t.Errorf("room for %d bytes, want at most %d", cap(b.bytes), most)
	}
	b.release()
	for range 100 {
		large := newBuffer()
		large.bytes = make([]byte, 0, maxPooledBytes+1)
		large.release()
		if again := newBuffer(); cap(again.bytes) > maxPooledBytes {
			t.Fatalf("a buffer for %d bytes is used again", cap(again.bytes))
		}
	}
}

func TestTimeoutOf(t *testing.T) {
	for query, want := range map[string]time.Duration{
		"timeout=2s": 2 * time.Second, "timeout=2s&x=y": 2 * time.Second, "x=y&timeout=2s": 2 * time.Second, "timeout=1%73": time.Second,
		"": defaultTimeout, "timeout=": defaultTimeout, "timeout=-1s": defaultTimeout, "timeout=soon": defaultTimeout, "timeout=1h": maxTimeout,
		"timeouts=2s": defaultTimeout, "timeout=1s;x": defaultTimeout,
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, PodsPath+"?"+query, nil)
		if got := timeoutOf(r); got != want {
			t.Errorf("%q: %v, want %v", query, got, want)
		}
	}
}
