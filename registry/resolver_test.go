// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"go.uber.org/goleak"

	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/imagesize"
	"github.com/headroom-dev/headroom/registry/layer"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	amd64 = imagesize.Platform{OS: "linux", Architecture: "amd64"}
	arm64 = imagesize.Platform{OS: "linux", Architecture: "arm64"}
)

// memorySink is what a ledger would know.
type memorySink struct {
	mu    sync.Mutex
	known map[string]imagesize.Manifest
}

func (s *memorySink) SetManifest(ref imageref.Ref, p imagesize.Platform, m imagesize.Manifest) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.known[ref.String()+" "+p.Architecture] = m
}

func (s *memorySink) DeleteManifest(ref imageref.Ref, p imagesize.Platform) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.known, ref.String()+" "+p.Architecture)
}

func (s *memorySink) get(ref imageref.Ref, p imagesize.Platform) (imagesize.Manifest, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m, ok := s.known[ref.String()+" "+p.Architecture]
	return m, ok
}

// clock is a time that tests move.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// requests counts what a server was asked.
type requests struct {
	mu    sync.Mutex
	count map[string]int
}

func (r *requests) of(what string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.count[what]
}

// counting counts requests for manifests by method.
func counting(next http.Handler) (http.Handler, *requests) {
	r := &requests{count: map[string]int{}}
	return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if strings.Contains(q.URL.Path, "/manifests/") {
			r.mu.Lock()
			r.count[q.Method]++
			r.mu.Unlock()
		}
		next.ServeHTTP(w, q)
	}), r
}

// world is a resolver that runs, and a registry for the images of "lab.test".
type world struct {
	*Resolver
	sink   *memorySink
	clock  *clock
	server *httptest.Server
}

func start(t *testing.T, handler http.Handler, adjust func(*Options)) world {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	host, endpoint, err := ParseEndpoint("lab.test=" + server.URL)
	if err != nil {
		t.Fatal(err)
	}
	c := &clock{now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	o := Options{Endpoints: map[string]Endpoint{host: endpoint}, Now: c.Now, RequestTimeout: 5 * time.Second}
	if adjust != nil {
		adjust(&o)
	}
	sink := &memorySink{known: map[string]imagesize.Manifest{}}
	r, err := New(o, sink)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- r.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	return world{Resolver: r, sink: sink, clock: c, server: server}
}

func quietRegistry() http.Handler {
	return registry.New(registry.Logger(slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)))
}

func ref(t *testing.T, s string) imageref.Ref {
	t.Helper()
	r, err := imageref.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// wait waits for one image on one platform and returns the error of its answer.
func (w world) wait(t *testing.T, image imageref.Ref, p imagesize.Platform) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if !w.Wait(ctx, []imageref.Ref{image}, []imagesize.Platform{p}) {
		t.Fatalf("no answer for %s", image)
	}
	answered, err := w.State(image, p)
	if !answered {
		t.Fatalf("Wait returned true, State says %s is not answered", image)
	}
	return err
}

// expect waits and checks the outcome: Resolved for a size.
func (w world) expect(t *testing.T, image imageref.Ref, p imagesize.Platform, want Outcome) {
	t.Helper()
	got := Resolved
	err := w.wait(t, image, p)
	if e, ok := errors.AsType[*Error](err); ok {
		got = e.Outcome
		t.Logf("%s: %v", image, err)
	}
	if got != want {
		t.Fatalf("outcome of %s is %s, want %s (%v)", image, got, want, err)
	}
	if _, known := w.sink.get(image, p); known != (want == Resolved) {
		t.Errorf("the sink knows %s: %v, with outcome %s", image, known, got)
	}
}

func (w world) push(t *testing.T, to string, what remote.Taggable) {
	t.Helper()
	tag, err := name.NewTag(strings.TrimPrefix(w.server.URL, "http://")+"/"+to, name.Insecure)
	if err != nil {
		t.Fatal(err)
	}
	switch what := what.(type) {
	case v1.Image:
		err = remote.Write(tag, what)
	case v1.ImageIndex:
		err = remote.WriteIndex(tag, what)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func makeImage(t *testing.T, layers ...int64) v1.Image {
	t.Helper()
	made := empty.Image
	for _, size := range layers {
		added, err := random.Layer(size, "application/vnd.oci.image.layer.v1.tar+gzip")
		if err != nil {
			t.Fatal(err)
		}
		if made, err = mutate.AppendLayers(made, added); err != nil {
			t.Fatal(err)
		}
	}
	return made
}

func makeIndex(images map[string]v1.Image) v1.ImageIndex {
	index := v1.ImageIndex(empty.Index)
	for architecture, made := range images {
		index = mutate.AppendManifests(index, mutate.IndexAddendum{
			Add: made, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: architecture}},
		})
	}
	return index
}

// declared adds up an image the long way: from its parts, not from parseDocument.
func declared(t *testing.T, made v1.Image) imagesize.Manifest {
	t.Helper()
	manifest, err := made.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	size, err := made.Size()
	if err != nil {
		t.Fatal(err)
	}
	digest, err := made.Digest()
	if err != nil {
		t.Fatal(err)
	}
	config, err := made.RawConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	documents := size + manifest.Config.Size
	m := imagesize.Manifest{Digest: digest.String(), ImageDigest: digest.String(), CompressedBytes: documents, DocumentBytes: documents}
	chain, err := layer.ChainIDs(config, len(manifest.Layers))
	if err != nil {
		t.Fatal(err)
	}
	for i, l := range manifest.Layers {
		m.Layers = append(m.Layers, imagesize.Layer{
			Digest: l.Digest.String(), CompressedBytes: l.Size, ChainID: chain[i],
			Unpacked: unpacked(t, made, i),
		})
		m.CompressedBytes += l.Size
	}
	return m
}

// unpacked measures a layer as a whole.
func unpacked(t *testing.T, made v1.Image, i int) imagesize.Unpacked {
	t.Helper()
	layers, err := made.Layers()
	if err != nil {
		t.Fatal(err)
	}
	r, err := layers[i].Compressed()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	body, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	u, err := layer.Measure(layer.Blob{Size: int64(len(body)), Head: body})
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestResolvesAnImage(t *testing.T) {
	w := start(t, quietRegistry(), nil)
	made := makeImage(t, 10_000, 333)
	w.push(t, "team/app:v1", made)
	image := ref(t, "lab.test/team/app:v1")
	w.expect(t, image, amd64, Resolved)
	got, _ := w.sink.get(image, amd64)
	if diff := cmp.Diff(declared(t, made), got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	// The same by digest.
	byDigest, err := image.WithDigest(got.Digest)
	if err != nil {
		t.Fatal(err)
	}
	w.expect(t, byDigest, amd64, Resolved)
}

func TestResolvesAnIndexByPlatform(t *testing.T) {
	handler, asked := counting(quietRegistry())
	w := start(t, handler, nil)
	forAMD64, forARM64 := makeImage(t, 10_000), makeImage(t, 500, 600)
	index := makeIndex(map[string]v1.Image{"amd64": forAMD64, "arm64": forARM64})
	w.push(t, "app:v1", index)
	indexSize, err := index.Size()
	if err != nil {
		t.Fatal(err)
	}
	indexDigest, err := index.Digest()
	if err != nil {
		t.Fatal(err)
	}
	image := ref(t, "lab.test/app:v1")
	for p, made := range map[imagesize.Platform]v1.Image{amd64: forAMD64, arm64: forARM64} {
		w.expect(t, image, p, Resolved)
		want := declared(t, made)
		want.Digest, want.CompressedBytes, want.DocumentBytes = indexDigest.String(), want.CompressedBytes+indexSize, want.DocumentBytes+indexSize
		got, _ := w.sink.get(image, p)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s -want +got:\n%s", p.Architecture, diff)
		}
	}
	w.expect(t, image, imagesize.Platform{OS: "linux", Architecture: "s390x"}, NoPlatform)
	if got := asked.of(http.MethodGet); got != 3 {
		t.Errorf("%d GETs: the index and two manifests are 3", got)
	}
}

func TestATagIsAskedForAgainWhenItIsOld(t *testing.T) {
	handler, asked := counting(quietRegistry())
	w := start(t, handler, nil)
	before, after := makeImage(t, 1000), makeImage(t, 2000, 50)
	w.push(t, "app:v1", before)
	image := ref(t, "lab.test/app:v1")
	w.expect(t, image, amd64, Resolved)
	heads, gets := asked.of(http.MethodHead), asked.of(http.MethodGet)

	w.Want(image, amd64)
	w.clock.advance(11 * time.Minute)
	w.refresh(t, image)
	if asked.of(http.MethodHead) != heads+1 || asked.of(http.MethodGet) != gets {
		t.Errorf("an unmoved tag took %d HEADs and %d GETs, want one HEAD", asked.of(http.MethodHead)-heads, asked.of(http.MethodGet)-gets)
	}

	w.push(t, "app:v1", after)
	w.clock.advance(11 * time.Minute)
	w.refresh(t, image)
	got, _ := w.sink.get(image, amd64)
	if diff := cmp.Diff(declared(t, after), got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// refresh wants an image and waits for the next answer of the resolver.
func (w world) refresh(t *testing.T, image imageref.Ref) {
	t.Helper()
	changed := w.next()
	w.Want(image, amd64)
	select {
	case <-changed:
	case <-time.After(20 * time.Second):
		t.Fatalf("%s was not asked for again", image)
	}
}

func TestWhatARegistryDoesNotHaveIsNotAskedForAgainSoon(t *testing.T) {
	handler, asked := counting(quietRegistry())
	w := start(t, handler, nil)
	image := ref(t, "lab.test/app:none")
	w.expect(t, image, amd64, NotFound)
	first := asked.of(http.MethodHead)
	w.expect(t, image, amd64, NotFound)
	if got := asked.of(http.MethodHead); got != first {
		t.Errorf("asked %d more times", got-first)
	}
	w.push(t, "app:none", makeImage(t, 100))
	w.clock.advance(3 * time.Minute)
	w.expect(t, image, amd64, Resolved)
}

func TestOneQuestionForManyCallers(t *testing.T) {
	handler, asked := counting(quietRegistry())
	w := start(t, handler, nil)
	w.push(t, "app:v1", makeImage(t, 1000))
	pushed := asked.of(http.MethodHead)
	var callers sync.WaitGroup
	for range 20 {
		callers.Go(func() { w.expect(t, ref(t, "lab.test/app:v1"), amd64, Resolved) })
	}
	callers.Wait()
	if got := asked.of(http.MethodHead) - pushed; got != 1 {
		t.Errorf("%d questions for one image, want 1", got)
	}
}

func TestForgetsWhatWasNotUsedForLongest(t *testing.T) {
	w := start(t, quietRegistry(), func(o *Options) { o.CacheEntries = 3 })
	for i := range 5 {
		w.push(t, fmt.Sprintf("app:v%d", i), makeImage(t, 100))
		w.expect(t, ref(t, fmt.Sprintf("lab.test/app:v%d", i)), amd64, Resolved)
	}
	for i := range 5 {
		if _, known := w.sink.get(ref(t, fmt.Sprintf("lab.test/app:v%d", i)), amd64); known != (i >= 2) {
			t.Errorf("v%d known: %v", i, known)
		}
	}
	if s := w.Stats(); s.Remembered != 3 || s.Outcomes[Resolved] != 5 {
		t.Errorf("remembers %d images after %d answers, want 3 after 5", s.Remembered, s.Outcomes[Resolved])
	}
}

func TestAFailureKeepsWhatIsKnown(t *testing.T) {
	down := make(chan struct{})
	inner := quietRegistry()
	w := start(t, http.HandlerFunc(func(rw http.ResponseWriter, q *http.Request) {
		select {
		case <-down:
			rw.WriteHeader(http.StatusInternalServerError)
		default:
			inner.ServeHTTP(rw, q)
		}
	}), nil)
	w.push(t, "app:v1", makeImage(t, 1000))
	image := ref(t, "lab.test/app:v1")
	w.expect(t, image, amd64, Resolved)
	close(down)
	w.clock.advance(11 * time.Minute)
	w.refresh(t, image)
	w.expect(t, image, amd64, Resolved)
	if got := w.Stats().Outcomes[Other]; got != 1 {
		t.Errorf("%d failures counted, want 1", got)
	}
}
