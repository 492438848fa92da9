// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/imagesize"
)

func TestAHostThatIsNotListedIsNotAsked(t *testing.T) {
	allowed := false
	w := start(t, quietRegistry(), func(o *Options) {
		o.Allowed = func(host string) bool { return allowed && host == "lab.test" }
		o.Endpoints = nil
	})
	image := ref(t, "lab.test/app:v1")
	w.expect(t, image, amd64, DeniedHost)
	w.Want(image, amd64)
	if s := w.Stats(); s.Outcomes[DeniedHost] != 1 || s.Remembered != 0 {
		t.Errorf("counted %d denials, remembers %d", s.Outcomes[DeniedHost], s.Remembered)
	}
}

func TestPlainHTTPIsForEndpointsOnly(t *testing.T) {
	w := start(t, quietRegistry(), nil)
	host := strings.TrimPrefix(w.server.URL, "http://")
	listed := start(t, quietRegistry(), func(o *Options) {
		o.Allowed = func(h string) bool { return h == host }
		o.Endpoints = nil
	})
	listed.expect(t, ref(t, host+"/app:v1"), amd64, BlockedAddress)
}

func TestABudgetBoundsFetches(t *testing.T) {
	handler, asked := counting(quietRegistry())
	w := start(t, handler, func(o *Options) {
		o.Budgets = map[string]Budget{"lab.test": {Burst: 2, Per: time.Hour}}
	})
	for i := range 3 {
		w.push(t, fmt.Sprintf("app:v%d", i), makeImage(t, 100))
	}
	w.expect(t, ref(t, "lab.test/app:v0"), amd64, Resolved)
	w.expect(t, ref(t, "lab.test/app:v1"), amd64, Resolved)
	last := ref(t, "lab.test/app:v2")
	w.expect(t, last, amd64, RateLimited)
	w.clock.advance(29 * time.Minute)
	w.retry()
	w.expect(t, last, amd64, RateLimited)
	if got := asked.of(http.MethodGet); got != 2 {
		t.Errorf("%d GETs on a budget of 2", got)
	}
	// The resolver comes back to it without being told.
	w.clock.advance(2 * time.Minute)
	changed := w.next()
	w.retry()
	select {
	case <-changed:
	case <-time.After(20 * time.Second):
		t.Fatal("not asked again when the budget allows it")
	}
	w.expect(t, last, amd64, Resolved)
}

func TestTooManyRequestsPausesTheHost(t *testing.T) {
	handler, asked := counting(manifestsBy(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "3600")
		w.WriteHeader(http.StatusTooManyRequests)
	}))
	w := start(t, handler, nil)
	w.expect(t, ref(t, "lab.test/a:v1"), amd64, RateLimited)
	w.expect(t, ref(t, "lab.test/b:v1"), amd64, RateLimited)
	w.clock.advance(59 * time.Minute)
	w.retry()
	w.expect(t, ref(t, "lab.test/c:v1"), amd64, RateLimited)
	if got := asked.of(http.MethodHead); got != 1 {
		t.Errorf("asked %d times in spite of Retry-After", got)
	}
	w.clock.advance(2 * time.Minute)
	w.expect(t, ref(t, "lab.test/c:v1"), amd64, RateLimited)
	if got := asked.of(http.MethodHead); got != 2 {
		t.Errorf("asked %d times after the pause, want once more", got)
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	tests := map[string]time.Duration{
		"":                              0,
		"soon":                          0,
		"-5":                            0,
		"90":                            90 * time.Second,
		"9999999999999":                 24 * time.Hour,
		"Sun, 01 Mar 2026 12:01:00 GMT": time.Minute,
		"Sun, 01 Mar 2020 12:01:00 GMT": 0,
	}
	for header, want := range tests {
		if got := retryAfter(header, now); got != want {
			t.Errorf("%q: %s, want %s", header, got, want)
		}
	}
}

// stuck is a registry that answers nothing until the test ends.
func stuck(t *testing.T, adjust func(*Options)) world {
	t.Helper()
	release := make(chan struct{})
	w := start(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }), func(o *Options) {
		o.RequestTimeout = time.Minute
		adjust(o)
	})
	t.Cleanup(func() { close(release) })
	return w
}

func TestAFullQueueDrops(t *testing.T) {
	w := stuck(t, func(o *Options) { o.Workers, o.QueueLength = 1, 2 })
	w.Want(ref(t, "lab.test/first:v1"), amd64)
	for w.Stats().Queued > 0 {
		time.Sleep(time.Millisecond)
	}
	for i := range 5 {
		w.Want(ref(t, fmt.Sprintf("lab.test/app:v%d", i)), amd64)
		w.Want(ref(t, "lab.test/app:v0"), amd64)
	}
	if s := w.Stats(); s.Outcomes[Dropped] != 3 || s.Queued != 2 || s.Remembered != 3 {
		t.Errorf("dropped %d, queued %d, remembered %d; want 3, 2, 3", s.Outcomes[Dropped], s.Queued, s.Remembered)
	}
	if w.Wait(t.Context(), []imageref.Ref{ref(t, "lab.test/app:v9")}, []imagesize.Platform{amd64}) {
		t.Error("Wait claims to know an image that was dropped")
	}
}

func TestWaitersAreBounded(t *testing.T) {
	w := stuck(t, func(o *Options) { o.MaxWaiters = 2 })
	ctx, cancel := context.WithCancel(t.Context())
	image := []imageref.Ref{ref(t, "lab.test/app:v1")}
	results := make(chan bool)
	for range 2 {
		go func() { results <- w.Wait(ctx, image, []imagesize.Platform{amd64}) }()
	}
	for w.Stats().Waiting < 2 {
		time.Sleep(time.Millisecond)
	}
	if w.Wait(t.Context(), image, []imagesize.Platform{amd64}) {
		t.Error("the third of two waiters was let in")
	}
	cancel()
	for range 2 {
		if <-results {
			t.Error("Wait claims an answer that never came")
		}
	}
	if got := w.Stats().Waiting; got != 0 {
		t.Errorf("%d still waiting", got)
	}
}

func TestEndpointsAndOptionsAreChecked(t *testing.T) {
	for _, wrong := range []string{"", "docker.io", "=http://x", "docker.io=mirror", "docker.io=ftp://x", "docker.io=https://u:p@x", "docker.io=https://x?y"} {
		if _, _, err := ParseEndpoint(wrong); err == nil {
			t.Errorf("endpoint %q is accepted", wrong)
		}
	}
	host, e, err := ParseEndpoint("docker.io=https://harbor.corp/hub/")
	if err != nil || host != "docker.io" || e != (Endpoint{host: "harbor.corp", prefix: "hub"}) {
		t.Errorf("%q %+v %v", host, e, err)
	}
	if _, err := New(Options{}, nil); !errors.Is(err, errNoSink) {
		t.Errorf("without a sink: %v", err)
	}
	if _, err := New(Options{Budgets: map[string]Budget{"x": {}}}, &memorySink{}); err == nil {
		t.Error("an empty budget is accepted")
	}
}

func TestAnEndpointsPathComesFirst(t *testing.T) {
	w := start(t, quietRegistry(), nil)
	w.push(t, "hub/library/nginx:v1", makeImage(t, 100))
	_, endpoint, err := ParseEndpoint("docker.io=" + w.server.URL + "/hub")
	if err != nil {
		t.Fatal(err)
	}
	mirrored := start(t, quietRegistry(), func(o *Options) { o.Endpoints = map[string]Endpoint{"docker.io": endpoint} })
	mirrored.expect(t, ref(t, "nginx:v1"), amd64, Resolved)
}
