// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package kubelet

import (
	"bytes"
	"context"
	"encoding/pem"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const token = "a-token"

func fixedToken(context.Context) (string, error) { return token, nil }

// fakeKubelet is a TLS server on this machine and the client that trusts it.
func fakeKubelet(t *testing.T, handler http.HandlerFunc, adjust func(*DirectOptions)) (*Client, Target) {
	t.Helper()
	server := httptest.NewUnstartedServer(handler)
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	server.StartTLS()
	t.Cleanup(server.Close)
	o := DirectOptions{
		CAPEM: certificateOf(server),
		Token: fixedToken, Subject: `ServiceAccount "a/b"`, Timeout: 5 * time.Second,
	}
	if adjust != nil {
		adjust(&o)
	}
	c, err := Direct(o)
	if err != nil {
		t.Fatal(err)
	}
	return c, target(t, server.URL)
}

func certificateOf(server *httptest.Server) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
}

func target(t *testing.T, serverURL string) Target {
	t.Helper()
	u, err := url.Parse(serverURL)
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.Atoi(u.Port())
	if err != nil {
		t.Fatal(err)
	}
	return Target{Node: "n1", Address: u.Hostname(), Port: port}
}

// kubelet answers as a real one.
func kubelet(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Date", "Sun, 01 Mar 2026 12:00:07 GMT")
	switch {
	case r.Header.Get("Authorization") != "Bearer "+token:
		w.WriteHeader(http.StatusUnauthorized)
	case r.URL.Path == "/stats/summary":
		_, _ = w.Write([]byte(wholeNode))
	case r.URL.Path == "/configz":
		_, _ = w.Write([]byte(`{"kubeletconfig":{"evictionHard":{"imagefs.available":"15%"}}}`))
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

func TestDirect(t *testing.T) {
	var connections atomic.Int32
	server := httptest.NewUnstartedServer(http.HandlerFunc(kubelet))
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			connections.Add(1)
		}
	}
	server.StartTLS()
	defer server.Close()
	file := filepath.Join(t.TempDir(), "ca.crt")
	if err := os.WriteFile(file, certificateOf(server), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Direct(DirectOptions{CAFile: file, Token: fixedToken})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		s, err := c.Stats(t.Context(), target(t, server.URL))
		if err != nil {
			t.Fatal(err)
		}
		if s.AvailableBytes != 600 || s.Age != 7*time.Second {
			t.Errorf("%+v: want 600 bytes available, 7 s old by the node's clock", s)
		}
		k, err := c.Config(t.Context(), target(t, server.URL))
		if err != nil {
			t.Fatal(err)
		}
		if len(k.Thresholds) != 1 {
			t.Errorf("%+v", k)
		}
	}
	// One for each question: none is left open.
	if got := connections.Load(); got != 6 {
		t.Errorf("%d connections for six questions, want 6", got)
	}
}

func TestFailures(t *testing.T) {
	answer := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "https://169.254.169.254/")
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
		}
	}
	tests := map[string]struct {
		handler http.HandlerFunc
		adjust  func(*DirectOptions)
		want    Reason
		says    string
	}{
		"401":            {answer(401, ""), nil, ReasonUnauthorized, "authentication.webhook.enabled"},
		"403":            {answer(403, "Forbidden (user=x)"), nil, ReasonForbidden, `refuses "get nodes/stats": grant it to ServiceAccount "a/b"`},
		"404":            {answer(404, ""), nil, ReasonOther, "status 404"},
		"500":            {answer(500, ""), nil, ReasonOther, "status 500"},
		"a redirect":     {answer(307, ""), nil, ReasonOther, "not followed"},
		"a web page":     {answer(200, "<html>"), nil, ReasonMalformed, "check the address and port"},
		"no image fs":    {answer(200, "{}"), nil, ReasonNoImageFS, "reports no image file system capacity"},
		"an unknown CA":  {kubelet, func(o *DirectOptions) { o.CAPEM = otherCA(t) }, ReasonTLS, "name the CA"},
		"a small limit":  {kubelet, func(o *DirectOptions) { o.MaxBodyBytes = 20 }, ReasonTooLarge, "more than 20 bytes"},
		"an empty token": {kubelet, func(o *DirectOptions) { o.Token = func(context.Context) (string, error) { return "", nil } }, ReasonUnauthorized, "n1"},
		"no token": {kubelet, func(o *DirectOptions) {
			o.Token = func(context.Context) (string, error) { return "", errors.New("gone") }
		}, ReasonOther, "gone"},
		"no answer": {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, func(o *DirectOptions) { o.Timeout = 50 * time.Millisecond }, ReasonTimeout, "did not answer in time"},
		"a slow body": {func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusOK)
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
			panic(http.ErrAbortHandler) // or it would end the body in good order, perhaps in time
		}, func(o *DirectOptions) { o.Timeout = 50 * time.Millisecond }, ReasonTimeout, "did not answer in time"},
		"an endless body": {func(w http.ResponseWriter, r *http.Request) {
			_, _ = w.Write([]byte(`{"node":{"nodeName":"`))
			for r.Context().Err() == nil {
				if _, err := w.Write(bytes.Repeat([]byte{'n'}, 4096)); err != nil {
					return
				}
			}
		}, func(o *DirectOptions) { o.MaxBodyBytes = 1 << 16 }, ReasonTooLarge, "not read"},
	}
	for what, test := range tests {
		t.Run(what, func(t *testing.T) {
			c, target := fakeKubelet(t, test.handler, test.adjust)
			_, err := c.Stats(t.Context(), target)
			if ReasonOf(err) != test.want || !strings.Contains(err.Error(), test.says) {
				t.Fatalf("%v (%s), want %q (%s)", err, ReasonOf(err), test.says, test.want)
			}
			if !strings.HasPrefix(err.Error(), `node "n1": `) || strings.Contains(err.Error(), token) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%v", err)
			}
		})
	}
}

func otherCA(t *testing.T) []byte {
	t.Helper()
	// Not the one that httptest gives to every server: that one's own root.
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: selfSigned(t)})
}

func TestNoDateMakesNoAge(t *testing.T) {
	c, target := fakeKubelet(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["Date"] = nil
		_, _ = w.Write([]byte(wholeNode))
	}, nil)
	if _, err := c.Stats(t.Context(), target); ReasonOf(err) != ReasonMalformed || !strings.Contains(err.Error(), "Date") {
		t.Errorf("%v", err)
	}
}

func TestNothingListens(t *testing.T) {
	c, where := fakeKubelet(t, kubelet, nil)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := target(t, "https://"+listener.Addr().String())
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Stats(t.Context(), closed); ReasonOf(err) != ReasonRefused {
		t.Errorf("%v", err)
	}
	where.Address = "bad host\x00"
	if _, err := c.Stats(t.Context(), where); ReasonOf(err) != ReasonOther {
		t.Errorf("%v", err)
	}
	plain := httptest.NewServer(http.HandlerFunc(kubelet))
	defer plain.Close()
	if _, err := c.Stats(t.Context(), target(t, plain.URL)); ReasonOf(err) == "" {
		t.Error("asked over plain HTTP")
	}
}

func TestIPv6(t *testing.T) {
	c, err := Direct(DirectOptions{InsecureTLS: true, Token: fixedToken})
	if err != nil {
		t.Fatal(err)
	}
	if got := c.url(Target{Address: "fd00::7"}, "configz"); got != "https://[fd00::7]:10250/configz" {
		t.Error(got)
	}
	listener, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		t.Skip("no IPv6 here")
	}
	server := httptest.NewUnstartedServer(http.HandlerFunc(kubelet))
	_ = server.Listener.Close()
	server.Listener = listener
	server.StartTLS()
	defer server.Close()
	if _, err := c.Stats(t.Context(), target(t, server.URL)); err != nil {
		t.Error(err)
	}
}
