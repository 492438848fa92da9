// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package load

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/headroom-dev/headroom/hack/bench/review"
)

// webhookThat answers each request's UID with answer, in which %s is the UID, and returns how to ask it.
func webhookThat(t *testing.T, look func(*http.Request), answer string) *client {
	t.Helper()
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if look != nil {
			look(r)
		}
		var body struct{ Request struct{ UID string } }
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			t.Error(err)
		}
		_, _ = fmt.Fprintf(w, answer, body.Request.UID) // the client's end tells
	}))
	t.Cleanup(server.Close)
	bodies, err := review.New([]string{"registry.example.com/app:v1"})
	if err != nil {
		t.Fatal(err)
	}
	c, err := newClient(Target{URL: server.URL + "/validate-pods", PID: os.Getpid()}, bodies)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.http.CloseIdleConnections)
	return c
}

const admitting = `{"response": {"uid": %q, "allowed":true}}`

func TestRequestLooksLikeAnAPIServers(t *testing.T) {
	c := webhookThat(t, func(r *http.Request) {
		got := fmt.Sprint(r.Method, " ", r.URL, " ", r.Proto, " ", r.TLS.NegotiatedProtocol, " ", r.Header.Get("Content-Type"), " ", r.ContentLength > 6000)
		if want := "POST /validate-pods?timeout=30s HTTP/1.1 http/1.1 application/json true"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}, admitting)
	if err := c.ask(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestConnectionsAreKept(t *testing.T) {
	c := webhookThat(t, nil, admitting)
	for range 20 {
		if err := c.ask(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if n := c.connections.Load(); n != 1 {
		t.Errorf("%d connections for 20 requests one after the other", n)
	}
}

func TestEveryRequestHasItsOwnUID(t *testing.T) {
	var mu sync.Mutex
	seen := map[string]int{}
	c := webhookThat(t, nil, admitting)
	c.http.Transport = observing{c.http.Transport, func(body string) {
		mu.Lock()
		defer mu.Unlock()
		seen[body]++
	}}
	outcome := c.closed(t.Context(), 4, 50*time.Millisecond).outcome()
	if outcome.Errors > 0 || outcome.Requests != len(seen) || outcome.Requests == 0 {
		t.Errorf("%d UIDs in %d requests, %d errors: %s", len(seen), outcome.Requests, outcome.Errors, outcome.Error)
	}
}

// observing sees the UIDs of the requests that pass.
type observing struct {
	http.RoundTripper

	uid func(string)
}

func (o observing) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := r.GetBody()
	if err != nil {
		return nil, err
	}
	var decoded struct{ Request struct{ UID string } }
	if err := json.NewDecoder(body).Decode(&decoded); err != nil {
		return nil, err
	}
	o.uid(decoded.Request.UID)
	return o.RoundTripper.RoundTrip(r)
}

func TestOnlyTheRightAnswerCounts(t *testing.T) {
	for about, c := range map[string]struct{ answer, err string }{
		"admitted":         {admitting, ""},
		"refused":          {`{"response": {"uid": %q, "allowed":false}}`, "not admitted"},
		"another's":        {`{"response": {"uid": "another", "allowed":true, "not": %.0q}}`, "another request"},
		"no answer at all": {"%.0s", "another request"},
	} {
		t.Run(about, func(t *testing.T) {
			err := webhookThat(t, nil, c.answer).ask(t.Context())
			if c.err == "" && err != nil || c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
				t.Errorf("error %v, want %q", err, c.err)
			}
		})
	}
}

func TestCAThatIsNoneIsAnError(t *testing.T) {
	if _, err := newClient(Target{CA: "none"}, nil); err == nil {
		t.Error("it is taken")
	}
}
