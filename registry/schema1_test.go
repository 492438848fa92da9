// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/headroom-dev/headroom/imagesize"
)

// schema1Image is a manifest of schema 1, and what its registry says of blobs.
type schema1Image struct {
	body string
	blob http.HandlerFunc

	mu    sync.Mutex
	asked map[string]int // by the last part of the path
}

func schema1Of(blob http.HandlerFunc, layers ...string) *schema1Image {
	list := make([]string, len(layers))
	for i, l := range layers {
		list[i] = fmt.Sprintf(`{"blobSum":%q}`, l)
	}
	return &schema1Image{
		body: fmt.Sprintf(`{"schemaVersion":1,"name":"app","tag":"v1","architecture":"amd64","fsLayers":[%s],"history":[]}`, strings.Join(list, ",")),
		blob: blob, asked: map[string]int{},
	}
}

func (s *schema1Image) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	switch _, blob, isBlob := strings.Cut(q.URL.Path, "/blobs/"); {
	case strings.Contains(q.URL.Path, "/manifests/"):
		w.Header().Set("Content-Type", string(types.DockerManifestSchema1Signed))
		w.Header().Set("Docker-Content-Digest", digestOf([]byte("what is signed of it")))
		_, _ = io.WriteString(w, s.body)
	case isBlob:
		s.mu.Lock()
		s.asked[blob]++
		s.mu.Unlock()
		s.blob(w, q)
	}
}

func (s *schema1Image) blobsAsked() (count int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range s.asked {
		count += n
	}
	return count
}

func layerNumber(n int) string { return fmt.Sprintf("sha256:%064x", n) }

// firstByte answers that a blob has so many bytes.
func firstByte(total string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Range", "bytes 0-0/"+total)
		w.WriteHeader(http.StatusPartialContent)
		_, _ = w.Write([]byte{0})
	}
}

// withoutRanges answers with all of a blob, whatever was asked for.
func withoutRanges(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Length", strconv.Itoa(10<<20))
	_, _ = w.Write(make([]byte, 64<<10))
}

func TestSchema1IsSizedByItsLayers(t *testing.T) {
	empty := layerNumber(0)
	for what, answer := range map[string]http.HandlerFunc{"ranges": firstByte("10485760"), "no ranges": withoutRanges} {
		t.Run(what, func(t *testing.T) {
			served := schema1Of(answer, empty, layerNumber(1), empty, layerNumber(2), empty)
			w := start(t, served, nil)
			image := ref(t, "lab.test/app:v1")
			w.expect(t, image, amd64, Resolved)
			m, _ := w.sink.get(image, amd64)
			if want := int64(3 * 10 << 20); m.CompressedBytes != want || m.Layered() {
				t.Errorf("%d bytes, layered %v, want %d in layers of which nobody knows more", m.CompressedBytes, m.Layered(), want)
			}
			size := imagesize.Evidence{Manifest: &m}.OnDisk(imagesize.Containerd, nil)
			if size.Source != imagesize.SourceRegistry || size.Disk.Low < m.CompressedBytes || size.Disk.High < 2*size.Disk.Low || !size.Claimed {
				t.Errorf("on a disk: %+v, want the compressed bytes with a factor that is wide", size)
			}
			w.clock.advance(time.Hour)
			w.expect(t, image, amd64, Resolved)
			w.expect(t, image, arm64, Resolved)
			if n := served.blobsAsked(); n != 3 {
				t.Errorf("%d blobs were asked for, want each of three once", n)
			}
			for key := range w.store.bodies.byKey {
				t.Errorf("the store keeps %s, whose bytes don't have that digest", key)
			}
		})
	}
}

func TestSchema1ThatTellsNoSizes(t *testing.T) {
	many := make([]string, maxLayers+1)
	for i := range many {
		many[i] = layerNumber(i)
	}
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
	}
	for what, test := range map[string]struct {
		blob   http.HandlerFunc
		layers []string
		want   Outcome
		asked  int // at most
	}{
		"a size that is not told":     {firstByte("*"), many[:1], Malformed, 1},
		"a size of nothing":           {firstByte("0"), many[:1], Malformed, 1},
		"a size below nothing":        {firstByte("-1"), many[:1], Malformed, 1},
		"a size that nobody believes": {firstByte("9223372036854775807"), many[:1], Malformed, 1},
		"a size beyond all numbers":   {firstByte("9223372036854775808"), many[:1], Malformed, 1},
		"another range": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Range", "bytes 1-1/5")
			w.WriteHeader(http.StatusPartialContent)
		}, many[:1], Malformed, 1},
		"no ranges and no length":            {func(w http.ResponseWriter, _ *http.Request) { _ = http.NewResponseController(w).Flush() }, many[:1], Malformed, 1},
		"no such blob":                       {status(http.StatusNotFound), many[:1], Malformed, 1},
		"no rights":                          {status(http.StatusForbidden), many[:1], Malformed, 1},
		"too many requests":                  {status(http.StatusTooManyRequests), many[:1], Other, 1},
		"an error":                           {status(http.StatusInternalServerError), many[:1], Other, 1},
		"no answer":                          {func(_ http.ResponseWriter, q *http.Request) { <-q.Context().Done() }, many[:1], Other, 1},
		"more layers than a runtime takes":   {firstByte("5"), many, Malformed, 0},
		"a digest that is a path":            {firstByte("5"), []string{"../../../x"}, Malformed, 0},
		"an error of the last of its layers": {status(http.StatusInternalServerError), many[:maxLayers], Other, maxLayers},
	} {
		t.Run(what, func(t *testing.T) {
			served := schema1Of(test.blob, test.layers...)
			w := start(t, served, func(o *Options) { o.RequestTimeout = time.Second })
			image := ref(t, "lab.test/app:v1")
			w.expect(t, image, amd64, test.want)
			if _, err := w.State(image, amd64); err == nil || !strings.Contains(err.Error(), "schema 1") {
				t.Errorf("%v, want a sentence with schema 1", err)
			}
			if n := served.blobsAsked(); n > test.asked {
				t.Errorf("%d blobs were asked for, want %d at most", n, test.asked)
			}
		})
	}
}

func TestSchema1LeavesAHostAlone(t *testing.T) {
	served := schema1Of(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTooManyRequests) }, layerNumber(1))
	w := start(t, served, nil)
	w.expect(t, ref(t, "lab.test/app:v1"), amd64, Other)
	w.expect(t, ref(t, "lab.test/app:v2"), amd64, Other)
	if n := served.blobsAsked(); n != 1 {
		t.Errorf("%d blobs were asked for of a host that had enough of it", n)
	}
}
