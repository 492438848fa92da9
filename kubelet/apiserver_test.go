// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package kubelet

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestViaAPIServerKeepsTheClientsTimeout(t *testing.T) {
	for timeout, want := range map[time.Duration]time.Duration{0: DefaultTimeout, time.Second: time.Second} {
		c, err := ViaAPIServer(&http.Client{Timeout: timeout}, "https://127.0.0.1:6443")
		if err != nil || c.timeout != want {
			t.Errorf("client with timeout %v: %+v, %v; want %v", timeout, c, err, want)
		}
	}
}

func TestViaAPIServer(t *testing.T) {
	var status int
	var body string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if status != 0 {
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
			return
		}
		prefix := "/base/api/v1/nodes/n1/proxy"
		if !strings.HasPrefix(r.URL.Path, prefix) {
			t.Errorf("asked for %s", r.URL.Path)
		}
		r.Header.Set("Authorization", "Bearer "+token)
		http.StripPrefix(prefix, http.HandlerFunc(kubelet)).ServeHTTP(w, r)
	}))
	defer server.Close()
	c, err := ViaAPIServer(server.Client(), server.URL+"/base/")
	if err != nil {
		t.Fatal(err)
	}
	if s, err := c.Stats(t.Context(), Target{Node: "n1"}); err != nil || s.Age != 7*time.Second {
		t.Errorf("%+v %v", s, err)
	}
	if _, err := c.Config(t.Context(), Target{Node: "n1"}); err != nil {
		t.Error(err)
	}
	for _, test := range []struct {
		status int
		body   string
		want   Reason
		says   string
	}{
		{403, `{"kind":"Status"}`, ReasonForbidden, `"get nodes/proxy": grant it to the user of this kubeconfig`},
		{403, "Forbidden (user=kube-apiserver)", ReasonForbidden, "kubelet client certificate"},
		{401, "", ReasonUnauthorized, "log in"},
		{503, `{"kind":"Status"}`, ReasonRefused, "can't reach the kubelet"},
		{504, "", ReasonTimeout, "in time"},
	} {
		status, body = test.status, test.body
		if _, err := c.Stats(t.Context(), Target{Node: "n1"}); ReasonOf(err) != test.want || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%d: %v", test.status, err)
		}
	}
	if _, err := ViaAPIServer(server.Client(), "://"); err == nil {
		t.Error("a host that is no URL is accepted")
	}
}
