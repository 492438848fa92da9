// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
)

// manifestsBy is a registry that answers every question about a manifest with f.
func manifestsBy(f http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if strings.Contains(q.URL.Path, "/manifests/") {
			f(w, q)
		}
	})
}

func TestHostileRegistries(t *testing.T) {
	// A server of the private network that nobody listed. Nobody may ever see a request.
	var touched bool
	secret := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { touched = true }))
	defer secret.Close()
	redirect := func(to string) http.Handler {
		return manifestsBy(func(w http.ResponseWriter, q *http.Request) { http.Redirect(w, q, to, http.StatusTemporaryRedirect) })
	}
	realm := func(url string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer realm=%q,service="x"`, url))
			w.WriteHeader(http.StatusUnauthorized)
		})
	}
	wrongDigest := "sha256:" + strings.Repeat("ab", 32)
	tests := map[string]struct {
		handler http.Handler
		want    Outcome
	}{
		"a body without an end": {manifestsBy(func(w http.ResponseWriter, q *http.Request) {
			for q.Method == http.MethodGet && q.Context().Err() == nil {
				if _, err := io.WriteString(w, strings.Repeat(" ", 4096)); err != nil {
					return
				}
			}
		}), TooLarge},
		"a body announced as too large": {manifestsBy(func(w http.ResponseWriter, q *http.Request) {
			if q.Method == http.MethodGet {
				w.Header().Set("Content-Length", "99999999")
			}
		}), TooLarge},
		"no answer": {manifestsBy(func(_ http.ResponseWriter, q *http.Request) { <-q.Context().Done() }), Timeout},
		"no answer to the handshake": {http.HandlerFunc(func(_ http.ResponseWriter, q *http.Request) {
			<-q.Context().Done()
		}), Timeout},
		"a redirect to the metadata server":            {redirect("http://169.254.169.254/latest"), BlockedAddress},
		"a redirect to the metadata server over TLS":   {redirect("https://169.254.169.254/latest"), BlockedAddress},
		"a redirect to a service of this machine":      {redirect(secret.URL), BlockedAddress},
		"a redirect to one over TLS":                   {redirect(strings.Replace(secret.URL, "http:", "https:", 1)), BlockedAddress},
		"a redirect to a name that means this machine": {redirect("https://localhost" + secret.URL[strings.LastIndex(secret.URL, ":"):]), BlockedAddress},
		"a redirect in a circle":                       {redirect("/v2/app/manifests/again"), Malformed},
		"a token server at the metadata address":       {realm("http://169.254.169.254/token"), BlockedAddress},
		"a token server on this machine":               {realm("https://localhost" + secret.URL[strings.LastIndex(secret.URL, ":"):]), BlockedAddress},
		"another manifest than its digest says": {manifestsBy(func(w http.ResponseWriter, q *http.Request) {
			w.Header().Set("Docker-Content-Digest", wrongDigest)
			w.Header().Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
			w.Header().Set("Content-Length", "2")
			if q.Method == http.MethodGet {
				_, _ = io.WriteString(w, "{}")
			}
		}), Malformed},
		"no image at all": {manifestsBy(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") }), Malformed},
		"no rights":       {manifestsBy(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }), Unauthorized},
	}
	for what, test := range tests {
		t.Run(what, func(t *testing.T) {
			w := start(t, test.handler, func(o *Options) {
				o.RequestTimeout, o.MaxManifestBytes = time.Second, 64<<10
			})
			w.expect(t, ref(t, "lab.test/app:v1"), amd64, test.want)
		})
	}
	if touched {
		t.Error("a server that nobody listed was asked")
	}
}

type keychain func() (authn.Authenticator, error)

func (f keychain) Resolve(authn.Resource) (authn.Authenticator, error) { return f() }

func TestAPanicIsAnAnswer(t *testing.T) {
	w := start(t, http.NotFoundHandler(), func(o *Options) {
		o.Keychain = keychain(func() (authn.Authenticator, error) { panic("ouch") })
	})
	w.expect(t, ref(t, "lab.test/app:v1"), amd64, Malformed)
}

func TestLyingSizesSaturate(t *testing.T) {
	digest := "sha256:" + strings.Repeat("ab", 32)
	body := fmt.Sprintf(`{"config":{"digest":%[1]q,"size":-5},"layers":[{"digest":%[1]q,"size":%[2]d},{"digest":%[1]q,"size":%[2]d},{"digest":%[1]q,"size":-%[2]d}]}`,
		digest, int64(math.MaxInt64))
	d, err := parseDocument(digest, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	if m := image(nil, child{}, d); m.CompressedBytes != math.MaxInt64 || m.Layers[2].CompressedBytes != 0 {
		t.Errorf("image of %d bytes, its third layer %d", m.CompressedBytes, m.Layers[2].CompressedBytes)
	}
}

func TestPermittedAddresses(t *testing.T) {
	tests := map[string]struct{ public, listed bool }{
		"8.8.8.8":                {true, true},
		"2606:4700::1111":        {true, true},
		"10.1.2.3":               {false, true},
		"192.168.0.1":            {false, true},
		"172.16.9.9":             {false, true},
		"100.64.0.1":             {false, true},
		"fd12::1":                {false, true},
		"127.0.0.1":              {false, false},
		"::1":                    {false, false},
		"::ffff:127.0.0.1":       {false, false},
		"::ffff:10.0.0.1":        {false, true},
		"169.254.169.254":        {false, false},
		"::ffff:169.254.169.254": {false, false},
		"64:ff9b::a9fe:a9fe":     {false, false},
		"64:ff9b::808:808":       {true, true},
		"2002:7f00:1::":          {false, false},
		"fd00:ec2::254":          {false, false},
		"100.100.100.200":        {false, false},
		"168.63.129.16":          {false, false},
		"64:ff9b:1::a00:1":       {false, false},
		"2001:0:808:808::1":      {false, false},
		"fe80::1%eth0":           {false, false},
		"0.0.0.0":                {false, false},
		"0.1.2.3":                {false, false},
		"::":                     {false, false},
		"224.0.0.1":              {false, false},
		"ff02::1":                {false, false},
		"255.255.255.255":        {false, false},
		"192.0.2.7":              {false, false},
	}
	for address, want := range tests {
		a := netip.MustParseAddr(address)
		if got := publicOnly.permits(a); got != want.public {
			t.Errorf("%s for anybody: %v", address, got)
		}
		if got := privateToo.permits(a); got != want.listed {
			t.Errorf("%s for a listed name: %v", address, got)
		}
		if !anywhere.permits(a) {
			t.Errorf("%s is refused to the operator", address)
		}
	}
}

func TestReach(t *testing.T) {
	list := map[string]bool{"docker.io": true, "registry.corp:5000": true, "registry.corp": true, "10.0.0.9:5000": true, "[::1]:5000": true, "localhost:7000": true}
	_, plain, err := ParseEndpoint("x=http://mirror.lab")
	if err != nil {
		t.Fatal(err)
	}
	r, err := New(Options{Allowed: func(h string) bool { return list[h] }, Endpoints: map[string]Endpoint{"x": plain}}, &memorySink{})
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]reach{
		"index.docker.io:443":  privateToo,
		"auth.docker.io:443":   publicOnly,
		"registry.corp:5000":   privateToo,
		"registry.corp:443":    privateToo,
		"registry.corp:8443":   publicOnly,
		"10.0.0.9:5000":        anywhere,
		"10.0.0.9:443":         publicOnly,
		"[::1]:5000":           anywhere,
		"localhost:7000":       anywhere,
		"localhost:443":        publicOnly,
		"mirror.lab:80":        anywhere,
		"mirror.lab:443":       publicOnly,
		"169.254.169.254:80":   publicOnly,
		"no port":              publicOnly,
		"evil.example.com:443": publicOnly,
	}
	for address, want := range tests {
		if got := r.reachOf(address); got != want {
			t.Errorf("%s: reach %d, want %d", address, got, want)
		}
	}
}
