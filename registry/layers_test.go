// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/imagesize"
	"github.com/headroom-dev/headroom/registry/layer/layertest"
)

// gzipType is what nearly every layer claims to be; what it is, is up to its content.
const gzipType = types.OCILayer

// files are a layer's that is larger than what is read whole: 300 of 10 KB.
func files() []layertest.File {
	all := make([]layertest.File, 300)
	for i := range all {
		all[i] = layertest.File{Name: fmt.Sprintf("usr/lib/f%03d", i), Size: 10_000}
	}
	return all
}

const filesTake = 300*3*4096 + 3*4096

func imageOf(t *testing.T, mediaType types.MediaType, blobs ...[]byte) v1.Image {
	t.Helper()
	made := empty.Image
	var err error
	for _, blob := range blobs {
		if made, err = mutate.AppendLayers(made, static.NewLayer(blob, mediaType)); err != nil {
			t.Fatal(err)
		}
	}
	return made
}

func digestOf(blob []byte) string {
	sum := sha256.Sum256(blob)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// blobsBy lets f answer requests for the blobs of these layers, and inner the rest.
func blobsBy(inner http.Handler, f http.HandlerFunc, blobs ...[]byte) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		for _, blob := range blobs {
			if q.Method == http.MethodGet && strings.HasSuffix(q.URL.Path, "/blobs/"+digestOf(blob)) {
				f(w, q)
				return
			}
		}
		inner.ServeHTTP(w, q)
	})
}

func (w world) layers(t *testing.T, image imageref.Ref) []imagesize.Layer {
	t.Helper()
	m, known := w.sink.get(image, amd64)
	if !known {
		t.Fatalf("the sink does not know %s", image)
	}
	return m.Layers
}

func TestLayersOfEachKindAreMeasured(t *testing.T) {
	all := files()
	plain := layertest.Archive(t, all...)
	table := layertest.Table(t, all...)
	half := len(plain) / 2
	for what, test := range map[string]struct {
		blob  []byte
		extra int64 // bytes that the format adds to the files
		exact bool
	}{
		"gzip":         {layertest.Gzip(t, plain), 0, true},
		"zstd":         {layertest.Zstd(t, plain), 0, true},
		"zstd stream":  {layertest.ZstdStream(t, plain), 0, false},
		"tar":          {plain, 0, true},
		"two members":  {layertest.Gzip(t, plain[:half], plain[half:]), 0, false},
		"eStargz":      {layertest.Stargz(t, table, all...), int64(len(table)+4095)/4096*4096 + 4096, true},
		"zstd:chunked": {layertest.Chunked(t, table, all...), 0, true},
		"small":        {layertest.Gzip(t, layertest.Archive(t, all[:50]...)), -250 * 3 * 4096, true},
	} {
		t.Run(what, func(t *testing.T) {
			w := start(t, quietRegistry(), nil)
			w.push(t, "app:v1", imageOf(t, gzipType, test.blob))
			image := ref(t, "lab.test/app:v1")
			w.expect(t, image, amd64, Resolved)
			l := w.layers(t, image)[0]
			truth := int64(filesTake) + test.extra
			d := l.Unpacked.DiskBytes
			t.Logf("%d bytes are %+v with %d inodes, truth %d", len(test.blob), d, l.Unpacked.Inodes, truth)
			if d.Low > truth || d.High < truth || l.ChainID == "" {
				t.Errorf("%d bytes are not in %+v", truth, d)
			}
			if off := float64(d.Likely) / float64(truth); test.exact && (off < 0.85 || off > 1.15) {
				t.Errorf("likely %d bytes of %d", d.Likely, truth)
			}
		})
	}
}

func TestASharedLayerIsReadOnce(t *testing.T) {
	base := layertest.Gzip(t, layertest.Archive(t, files()...))
	var mu sync.Mutex
	reads := 0
	inner := quietRegistry()
	w := start(t, blobsBy(inner, func(rw http.ResponseWriter, q *http.Request) {
		mu.Lock()
		reads++
		mu.Unlock()
		inner.ServeHTTP(rw, q)
	}, base), nil)
	for i := range 3 {
		own := layertest.Gzip(t, layertest.Archive(t, layertest.File{Name: "app", Size: 1000 + i}))
		w.push(t, fmt.Sprintf("app%d:v1", i), imageOf(t, gzipType, base, own, base))
		image := ref(t, fmt.Sprintf("lab.test/app%d:v1", i))
		w.expect(t, image, amd64, Resolved)
		for n, l := range w.layers(t, image) {
			if l.Unpacked.IsZero() {
				t.Errorf("layer %d of image %d is not known", n, i)
			}
		}
	}
	if reads != 2 {
		t.Errorf("%d reads of the base, want its start and its end", reads)
	}
}

func TestTheManifestIsKnownBeforeItsLayers(t *testing.T) {
	blob := layertest.Gzip(t, layertest.Archive(t, files()...))
	inner := quietRegistry()
	release := make(chan struct{})
	w := start(t, blobsBy(inner, func(rw http.ResponseWriter, q *http.Request) {
		<-release
		inner.ServeHTTP(rw, q)
	}, blob), nil)
	w.push(t, "app:v1", imageOf(t, gzipType, blob))
	image := ref(t, "lab.test/app:v1")
	w.Want(image, amd64)
	var early imagesize.Manifest
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		if m, known := w.sink.get(image, amd64); known {
			early = m
			if !m.Layers[0].Unpacked.IsZero() || m.CompressedBytes == 0 {
				t.Errorf("known before it was read: %+v", m)
			}
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("nothing is known while the layers are being read")
		}
	}
	if answered, _ := w.State(image, amd64); answered {
		t.Error("the image counts as answered before its layers were read")
	}
	close(release)
	w.expect(t, image, amd64, Resolved)
	if l := w.layers(t, image)[0]; l.Unpacked.IsZero() {
		t.Error("the layer is not known")
	}
	if early.Layered() || !early.Layers[0].Unpacked.IsZero() {
		t.Error("what was told first has changed in the sink's hands")
	}
}

func TestLayersThatAreNotReadInTimeAreReadLater(t *testing.T) {
	blob := layertest.Gzip(t, layertest.Archive(t, files()...))
	inner := quietRegistry()
	healthy := make(chan struct{})
	w := start(t, blobsBy(inner, func(rw http.ResponseWriter, q *http.Request) {
		select {
		case <-healthy:
			inner.ServeHTTP(rw, q)
		default:
			<-q.Context().Done()
		}
	}, blob), func(o *Options) { o.RequestTimeout = 300 * time.Millisecond })
	w.push(t, "app:v1", imageOf(t, gzipType, blob))
	pushed := ref(t, "lab.test/app:v1")
	m := declared(t, imageOf(t, gzipType, blob))
	image, err := pushed.WithDigest(m.Digest)
	if err != nil {
		t.Fatal(err)
	}
	w.expect(t, image, amd64, Resolved)
	if l := w.layers(t, image)[0]; !l.Unpacked.IsZero() || l.ChainID == "" {
		t.Errorf("without the layer: %+v", l)
	}
	close(healthy)
	w.clock.advance(3 * time.Minute)
	w.retry()
	w.settle(t)
	if l := w.layers(t, image)[0]; l.Unpacked.IsZero() {
		t.Error("the layer was not read when the registry was well again")
	}
}

func TestOnlyLayersThatAreUnpackedAreRead(t *testing.T) {
	blob := layertest.Gzip(t, layertest.Archive(t, files()...))
	for _, mediaType := range []types.MediaType{
		types.DockerForeignLayer, "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
		"application/vnd.oci.image.layer.v1.tar+gzip+encrypted", "application/vnd.cncf.helm.chart.content.v1.tar+gzip", "",
	} {
		w := start(t, blobsBy(quietRegistry(), func(http.ResponseWriter, *http.Request) {
			t.Errorf("a blob of type %q was read", mediaType)
		}, blob), nil)
		made := imageOf(t, mediaType, blob)
		raw, err := made.RawManifest()
		if err != nil {
			t.Fatal(err)
		}
		d, err := parseDocument(digestOf(raw), raw)
		if err != nil {
			t.Fatal(err)
		}
		if d.readable[0] {
			t.Errorf("type %q is taken for one that is unpacked", mediaType)
		}
		if mediaType == "" || strings.Contains(string(mediaType), "foreign") || strings.Contains(string(mediaType), "nondistributable") {
			continue // The client does not push them.
		}
		w.push(t, "app:v1", made)
		w.expect(t, ref(t, "lab.test/app:v1"), amd64, Resolved)
	}
}
