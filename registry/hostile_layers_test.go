// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"

	"github.com/headroom-dev/headroom/registry/layer/layertest"
)

func TestHostileLayersTellNothing(t *testing.T) {
	var touched atomic.Bool
	secret := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { touched.Store(true) }))
	defer secret.Close()
	large := layertest.Gzip(t, layertest.Archive(t, files()...))
	small := layertest.Gzip(t, layertest.Archive(t, files()[:30]...))
	partial := func(w http.ResponseWriter, q *http.Request, total int, body io.Reader) {
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %s/%d", strings.TrimPrefix(q.Header.Get("Range"), "bytes="), total))
		w.WriteHeader(http.StatusPartialContent)
		_, _ = io.Copy(w, body)
	}
	tests := map[string]struct {
		blob    []byte
		handler http.HandlerFunc
	}{
		"another size than the manifest has": {large, func(w http.ResponseWriter, q *http.Request) {
			partial(w, q, len(large)+1, bytes.NewReader(large))
		}},
		"a blob of another length": {large, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(large[:len(large)-1]) }},
		"another range": {large, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Range", fmt.Sprintf("bytes 0-9/%d", len(large)))
			w.WriteHeader(http.StatusPartialContent)
			_, _ = w.Write(large[:10])
		}},
		"a range that can't be satisfied": {large, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusRequestedRangeNotSatisfiable)
		}},
		"another content than its digest says": {small, func(w http.ResponseWriter, q *http.Request) {
			partial(w, q, len(small), bytes.NewReader(make([]byte, len(small))))
		}},
		"garbage": {large, func(w http.ResponseWriter, q *http.Request) {
			partial(w, q, len(large), strings.NewReader(strings.Repeat("x", 200<<10)))
		}},
		"a body that breaks off": {large, func(w http.ResponseWriter, q *http.Request) {
			partial(w, q, len(large), bytes.NewReader(large[:1000]))
		}},
		"no such blob":      {large, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) }},
		"no rights":         {large, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }},
		"too many requests": {large, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTooManyRequests) }},
		"an error":          {large, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) }},
		"no answer":         {large, func(_ http.ResponseWriter, q *http.Request) { <-q.Context().Done() }},
		"a redirect to the metadata server": {large, func(w http.ResponseWriter, q *http.Request) {
			http.Redirect(w, q, "https://169.254.169.254/x", http.StatusTemporaryRedirect)
		}},
		"a redirect to this machine": {large, func(w http.ResponseWriter, q *http.Request) {
			http.Redirect(w, q, secret.URL, http.StatusTemporaryRedirect)
		}},
		"a redirect in a circle": {large, func(w http.ResponseWriter, q *http.Request) {
			http.Redirect(w, q, q.URL.Path, http.StatusTemporaryRedirect)
		}},
		"drops": {large, func(w http.ResponseWriter, q *http.Request) {
			w.Header().Set("Content-Range", fmt.Sprintf("bytes %s/%d", strings.TrimPrefix(q.Header.Get("Range"), "bytes="), len(large)))
			w.WriteHeader(http.StatusPartialContent)
			for q.Context().Err() == nil {
				_, _ = w.Write([]byte{0})
				_ = http.NewResponseController(w).Flush()
				time.Sleep(10 * time.Millisecond)
			}
		}},
	}
	for what, test := range tests {
		t.Run(what, func(t *testing.T) {
			w := start(t, blobsBy(quietRegistry(), test.handler, test.blob), func(o *Options) { o.RequestTimeout = time.Second })
			w.push(t, "app:v1", imageOf(t, gzipType, test.blob))
			image := ref(t, "lab.test/app:v1")
			begun := time.Now()
			w.expect(t, image, amd64, Resolved)
			if took := time.Since(begun); took > 10*time.Second {
				t.Errorf("took %v", took)
			}
			if l := w.layers(t, image)[0]; !l.Unpacked.IsZero() || l.CompressedBytes != int64(len(test.blob)) || l.ChainID == "" {
				t.Errorf("%+v", l)
			}
		})
	}
	if touched.Load() {
		t.Error("a server that nobody listed was asked")
	}
}

func TestAServerWithoutRangesIsReadAtItsBeginning(t *testing.T) {
	large := layertest.Gzip(t, layertest.Archive(t, files()...))
	var asked atomic.Int64
	w := start(t, blobsBy(quietRegistry(), func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		w.Header().Set("Content-Length", strconv.Itoa(len(large)))
		_, _ = w.Write(large)
	}, large), nil)
	w.push(t, "app:v1", imageOf(t, gzipType, large))
	image := ref(t, "lab.test/app:v1")
	w.expect(t, image, amd64, Resolved)
	d := w.layers(t, image)[0].Unpacked.DiskBytes
	if d.Low > filesTake || d.High < filesTake || d.Likely == 0 {
		t.Errorf("%d bytes are not in %+v", filesTake, d)
	}
	if asked.Load() != 1 {
		t.Errorf("%d reads", asked.Load())
	}
}

func TestACDNDoesNotSeeCredentials(t *testing.T) {
	large := layertest.Gzip(t, layertest.Archive(t, files()...))
	inner := quietRegistry()
	var seen, leaked atomic.Bool
	cdn := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		seen.Store(true)
		if q.Header.Get("Authorization") != "" {
			leaked.Store(true)
		}
		http.ServeContent(w, q, "", time.Time{}, bytes.NewReader(large))
	}))
	defer cdn.Close()
	_, cdnEndpoint, err := ParseEndpoint("cdn.test=" + cdn.URL)
	if err != nil {
		t.Fatal(err)
	}
	handler := blobsBy(inner, func(w http.ResponseWriter, q *http.Request) {
		http.Redirect(w, q, cdn.URL+"/blob", http.StatusTemporaryRedirect)
	}, large)
	w := start(t, http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if _, password, _ := q.BasicAuth(); q.Method == http.MethodGet && password != "secret" {
			w.Header().Set("WWW-Authenticate", `Basic realm="lab"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		handler.ServeHTTP(w, q)
	}), func(o *Options) {
		o.Endpoints["cdn.test"] = cdnEndpoint
		o.Keychain = keychain(func() (authn.Authenticator, error) { return &authn.Basic{Username: "u", Password: "secret"}, nil })
	})
	server := start(t, inner, nil)
	server.push(t, "app:v1", imageOf(t, gzipType, large))
	image := ref(t, "lab.test/app:v1")
	w.expect(t, image, amd64, Resolved)
	if l := w.layers(t, image)[0]; l.Unpacked.IsZero() || !seen.Load() {
		t.Errorf("nothing was read from where the registry redirects: %+v", l)
	}
	if leaked.Load() {
		t.Error("the registry's credentials were shown to where it redirects")
	}
}

func TestLyingManifestsAreBounded(t *testing.T) {
	var asked atomic.Int64
	digest := "sha256:" + strings.Repeat("ab", 32)
	for what, test := range map[string]struct {
		layers int
		size   int64
		config string
	}{
		"10000 layers":              {10_000, 5 << 20, digest},
		"the largest sizes":         {3, math.MaxInt64, digest},
		"sizes of nothing":          {3, 0, digest},
		"a digest that is a path":   {3, 5 << 20, "../../../x"},
		"a configuration elsewhere": {1, 5 << 20, "sha256:" + strings.Repeat("cd", 32)},
	} {
		asked.Store(0)
		var list []string
		for i := range test.layers {
			name := fmt.Sprintf("sha256:%064x", i)
			if strings.HasPrefix(test.config, ".") {
				name = "../../../y"
			}
			list = append(list, fmt.Sprintf(`{"mediaType":%q,"digest":%q,"size":%d}`, gzipType, name, test.size))
		}
		body := fmt.Sprintf(`{"config":{"digest":%q,"size":%d},"layers":[%s]}`, test.config, test.size, strings.Join(list, ","))
		w := start(t, http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
			switch {
			case strings.Contains(q.URL.Path, "/manifests/"):
				w.Header().Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
				w.Header().Set("Docker-Content-Digest", digestOf([]byte(body)))
				_, _ = io.WriteString(w, body)
			case q.URL.Path != "/v2/":
				asked.Add(1)
				w.Header().Set("Content-Range", fmt.Sprintf("bytes %s/%d", strings.TrimPrefix(q.Header.Get("Range"), "bytes="), test.size))
				w.WriteHeader(http.StatusPartialContent)
				_, _ = w.Write(layertest.Gzip(t, layertest.Archive(t, files()[:20]...)))
			}
		}), func(o *Options) { o.MaxManifestBytes, o.RequestTimeout = 16<<20, 2*time.Second })
		image := ref(t, "lab.test/app:v1")
		w.expect(t, image, amd64, Resolved)
		if n := asked.Load(); n > 3*maxLayers || (strings.HasPrefix(test.config, ".") && n > 0) {
			t.Errorf("%s: %d reads", what, n)
		}
		for _, l := range w.layers(t, image) {
			if !l.Unpacked.IsZero() || l.ChainID != "" {
				t.Fatalf("%s: %+v", what, l)
			}
		}
	}
}
