// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package kubelet

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestAnAnswerIsNoLongerThanAllowed(t *testing.T) {
	for what, test := range map[string]struct {
		length, allowed int64
		want            error
	}{
		"shorter":         {9, 10, nil},
		"just as long":    {10, 10, nil},
		"one byte longer": {11, 10, errTooLarge},
		"much longer":     {5000, 10, errTooLarge},
	} {
		a := &answer{from: strings.NewReader(strings.Repeat("x", int(test.length))), left: test.allowed}
		body, err := io.ReadAll(a)
		if !errors.Is(err, test.want) || !errors.Is(a.fault, test.want) || int64(len(body)) != min(test.length, test.allowed) {
			t.Errorf("%s: %d bytes, %v, fault %v", what, len(body), err, a.fault)
		}
	}
}

func TestTheRemainderIsReadAsLongAsThereIsBandwidth(t *testing.T) {
	now := time.Unix(0, 0)
	r := newRemainder(100)
	r.most, r.now = 1000, func() time.Time { return now }
	read := func(length int) int {
		body := strings.NewReader(strings.Repeat("x", length))
		r.read(body, func() {})
		return length - body.Len()
	}
	if n := read(500); n != 500 {
		t.Errorf("%d bytes read of 500", n)
	}
	// 400 bytes of debt.
	now = now.Add(3 * time.Second)
	if n := read(10); n != 0 {
		t.Errorf("%d bytes read in debt", n)
	}
	now = now.Add(2 * time.Second)
	if n := read(10); n != 10 {
		t.Errorf("%d bytes read of 10 when the debt is paid", n)
	}
	if n := read(5000); n != 1000 {
		t.Errorf("%d bytes read of one that does not end", n)
	}
}

// crowded is a kubelet with hundreds of pods. It counts the answers that it could
// not send to their end.
func crowded(t *testing.T, protocols []string, failed *atomic.Int64, answering *sync.WaitGroup) *httptest.Server {
	t.Helper()
	body := []byte(wholeNode[:len(wholeNode)-2] + strings.Repeat(`,{"podRef":{"name":"p"}}`, 300_000) + `]}`) // more than any buffer takes
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		answering.Add(1)
		defer answering.Done()
		if _, err := w.Write(body); err != nil {
			failed.Add(1)
		}
	}))
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	server.EnableHTTP2 = len(protocols) > 1
	server.TLS = &tls.Config{NextProtos: protocols}
	server.StartTLS()
	t.Cleanup(server.Close)
	return server
}

func TestKubeletsAreNotHeardOut(t *testing.T) {
	for what, test := range map[string]struct {
		protocols []string
		spare     int
		enough    uint64
		failed    int64
	}{
		"by HTTP/2":         {[]string{"h2", "http/1.1"}, -1, 32 << 10, 3},
		"by HTTP/1.1":       {[]string{"http/1.1"}, -1, 6 << 20, 3},
		"with time to hear": {[]string{"h2", "http/1.1"}, 100 << 20, 8 << 20, 0},
	} {
		t.Run(what, func(t *testing.T) {
			var failed atomic.Int64
			var answering sync.WaitGroup
			server := crowded(t, test.protocols, &failed, &answering)
			c, err := Direct(DirectOptions{CAPEM: certificateOf(server), Token: fixedToken, SpareBandwidth: test.spare})
			if err != nil {
				t.Fatal(err)
			}
			for range 3 {
				if s, err := c.Stats(t.Context(), target(t, server.URL)); err != nil || s.AvailableBytes != 600 {
					t.Fatalf("%+v, %v", s, err)
				}
			}
			answering.Wait()
			read, counted := c.ReadBytes()
			if got := read / 3; !counted || got > test.enough || got < uint64(len(wholeNode)) {
				t.Errorf("%d bytes read for one answer, want at most %d", got, test.enough)
			}
			if got := failed.Load(); got != test.failed {
				t.Errorf("%d answers broken off, want %d", got, test.failed)
			}
		})
	}
}

func TestAnAPIServerIsHeardOut(t *testing.T) {
	var failed atomic.Int64
	var answering sync.WaitGroup
	server := crowded(t, []string{"h2", "http/1.1"}, &failed, &answering)
	c, err := ViaAPIServer(server.Client(), server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer server.Client().CloseIdleConnections()
	for range 3 {
		if _, err := c.Stats(t.Context(), Target{Node: "n1"}); err != nil {
			t.Fatal(err)
		}
	}
	answering.Wait()
	if got := failed.Load(); got != 0 {
		t.Errorf("%d answers broken off", got)
	}
	if _, counted := c.ReadBytes(); counted {
		t.Error("it counts what it does not see")
	}
}

func TestAKubeletThatDawdlesIsNotHeardOut(t *testing.T) {
	c, target := fakeKubelet(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte(wholeNode[:len(wholeNode)-2]))
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}, func(o *DirectOptions) { o.Timeout = time.Hour })
	c.remainder.longest = time.Millisecond
	if s, err := c.Stats(t.Context(), target); err != nil || s.AvailableBytes != 600 {
		t.Errorf("%+v, %v", s, err)
	}
}

func TestWhatFailsAfterTheNodePartDoesNotMatter(t *testing.T) {
	c, target := fakeKubelet(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(wholeNode[:len(wholeNode)-2]))
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}, nil)
	if s, err := c.Stats(t.Context(), target); err != nil || s.AvailableBytes != 600 {
		t.Errorf("%+v, %v", s, err)
	}
	c, target = fakeKubelet(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(bytes.TrimSuffix([]byte(wholeNode), []byte(`},"pods":[{"podRef":{"name":"p"}}]}`)))
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}, nil)
	if s, err := c.Stats(t.Context(), target); ReasonOf(err) != ReasonOther {
		t.Errorf("broken off within the node part: %+v, %v", s, err)
	}
}
