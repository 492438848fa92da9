// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"bytes"
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/containerd/stargz-snapshotter/estargz"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

func TestLayers(t *testing.T) {
	const size = 1 << 20
	tests := map[string]struct {
		layer              Layer
		least, most        float64 // compressed size, as a part of the uncompressed one
		tarLeast, tarExtra int64
	}{
		"random bytes don't compress":                                   {layer: Layer{Bytes: size, Content: Random}, least: 0.99, most: 1.01, tarExtra: 8 << 10},
		"zeros compress to less than a hundredth":                       {layer: Layer{Bytes: size, Content: Zeros}, least: 0, most: 0.01, tarExtra: 8 << 10},
		"text compresses to something between":                          {layer: Layer{Bytes: size, Content: Text}, least: 0.1, most: 0.5, tarExtra: 8 << 10},
		"tiny files are mostly headers":                                 {layer: Layer{Bytes: 3000, Content: Tiny}, least: 0.01, most: 0.2, tarLeast: 100_000, tarExtra: 130 << 10},
		"a layer's bytes are spread over as many files":                 {layer: Layer{Bytes: size, Content: Random, Files: 100}, least: 0.99, most: 1.01, tarLeast: 100 * 512, tarExtra: 200 << 10},
		"a source tree compresses like text, and its folders are in it": {layer: Layer{Bytes: size, Content: Source}, least: 0.1, most: 0.5, tarLeast: 100 * 512, tarExtra: 300 << 10},
		"a source tree may be limited to some files":                    {layer: Layer{Bytes: size, Content: Source, Files: 5}, least: 0.1, most: 0.5, tarLeast: 6 * 512, tarExtra: 16 << 10},
		"eStargz has a table of contents":                               {layer: Layer{Bytes: size, Content: Random, Files: 10, Compression: EStargz}, least: 0.98, most: 1.01, tarLeast: 12 * 512, tarExtra: 24 << 10},
		"a layer may be empty":                                          {layer: Layer{Content: Random}, least: 0, most: 1.1, tarExtra: 8 << 10},
		"seeds that are large are as good as those that are small":      {layer: Layer{Bytes: size, Content: Random, Seed: 1 << 63}, least: 0.99, most: 1.01, tarExtra: 8 << 10},
	}
	for title, tt := range tests {
		t.Run(title, func(t *testing.T) {
			first, err := describe(tt.layer)
			if err != nil {
				t.Fatal(err)
			}
			layer := &madeUpLayer{spec: tt.layer, described: first}
			if err := validate.Layer(layer); err != nil {
				t.Errorf("its digests are not those of its content: %v", err)
			}
			uncompressed, err := layer.Uncompressed()
			if err != nil {
				t.Fatal(err)
			}
			plain, err := io.Copy(io.Discard, uncompressed)
			if err != nil {
				t.Fatal(err)
			}
			if extra := plain - tt.layer.Bytes; extra < tt.tarLeast || extra > tt.tarExtra {
				t.Errorf("the tar has %d bytes more than its files, want between %d and %d", extra, tt.tarLeast, tt.tarExtra)
			}
			if part := float64(first.bytes) / float64(plain); part < tt.least || part > tt.most {
				t.Errorf("it compresses to %.3f of its size, want between %g and %g", part, tt.least, tt.most)
			}
			other := tt.layer
			other.Seed++
			second, err := describe(other)
			if err != nil {
				t.Fatal(err)
			}
			if first.digest == second.digest {
				t.Error("a layer with another seed has the same digest")
			}
		})
	}
	t.Run("a layer that can't be is refused", func(t *testing.T) {
		for _, layer := range []Layer{{Bytes: -1, Content: Random}, {Bytes: 1, Content: "stone"}, {Bytes: 1, Content: Random, Compression: "vacuum"}} {
			if _, err := describe(layer); err == nil {
				t.Errorf("%+v is made all the same", layer)
			}
		}
	})
}

func TestProgramLayerHasTheDigestsOfItsContent(t *testing.T) {
	layer, err := newProgramLayer(bytes.Repeat([]byte("program"), 1000))
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Layer(layer); err != nil {
		t.Error(err)
	}
}

func TestPush(t *testing.T) {
	registry, err := StartRegistry(t.Context(), t.TempDir(), "127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := registry.Stop(); err != nil {
			t.Error(err)
		}
	})
	shared := Layer{Bytes: 10_000, Content: Random, Seed: 7}
	one := Image{Name: "demo/one:v1", Layers: []Layer{shared, {Bytes: 5_000, Content: Text}}}
	digest := push(t, registry, one)

	t.Run("the same image has the same digest, pushed by whomever", func(t *testing.T) {
		if again := push(t, ConnectRegistry(registry.Address), one); again != digest {
			t.Errorf("digest %s, then %s", digest, again)
		}
	})
	t.Run("images with a layer in common share it, and the program", func(t *testing.T) {
		push(t, registry, Image{Name: "demo/two:v1", Layers: []Layer{shared}})
		first, second := layersOf(t, registry, "demo/one:v1"), layersOf(t, registry, "demo/two:v1")
		if diff := cmp.Diff(first[:2], second); diff != "" {
			t.Errorf("layers of the two (-first +second):\n%s", diff)
		}
	})
	t.Run("an image for several platforms is an index", func(t *testing.T) {
		img := Image{Name: "demo/index:v1", Layers: []Layer{shared}, Platforms: []string{"linux/amd64", "linux/arm64/v8"}}
		push(t, registry, img)
		amd := layersOf(t, registry, img.Name, remote.WithPlatform(v1.Platform{OS: "linux", Architecture: "amd64"}))
		arm := layersOf(t, registry, img.Name, remote.WithPlatform(v1.Platform{OS: "linux", Architecture: "arm64", Variant: "v8"}))
		if amd[0] != arm[0] || amd[1] == arm[1] {
			t.Errorf("layers %v and %v, want the first one shared and the second one not", amd, arm)
		}
	})
	t.Run("what is for other machines is of other sizes", func(t *testing.T) {
		given := []Layer{{Bytes: 60_000, Content: Random}}
		platforms := []string{"linux/s390x", "linux/" + runtime.GOARCH, "linux/riscv64"}
		sizes := make([]int64, len(platforms))
		for i := range platforms {
			sizes[i] = layersAt(given, platforms, i)[0].Bytes
		}
		if diff := cmp.Diff([]int64{40_000, 60_000, 48_000}, sizes); diff != "" {
			t.Errorf("bytes by platform (-want +got):\n%s", diff)
		}
		if alone := layersAt(given, platforms[:1], 0); alone[0] != given[0] {
			t.Errorf("a platform alone has %+v, want what is given", alone)
		}
	})
	t.Run("a second tag is the same image", func(t *testing.T) {
		again := one
		again.Name = "demo/one:also"
		if second := push(t, registry, again); second != digest {
			t.Errorf("digest %s under the first tag, %s under the second", digest, second)
		}
	})
	t.Run("a tag can be moved", func(t *testing.T) {
		moved := Image{Name: "demo/moving:v1", Layers: []Layer{shared}}
		push(t, registry, moved)
		moved.Layers = []Layer{{Bytes: 5_000, Content: Text}}
		push(t, registry, moved)
		if got := layersOf(t, registry, moved.Name); got[1] != layersOf(t, registry, one.Name)[2] {
			t.Errorf("layers %v, want those of the second image", got)
		}
	})
	t.Run("an image without the program has only its own layers", func(t *testing.T) {
		push(t, registry, Image{Name: "demo/data:v1", Layers: []Layer{shared}, WithoutProgram: true})
		if diff := cmp.Diff(layersOf(t, registry, one.Name)[1:2], layersOf(t, registry, "demo/data:v1")); diff != "" {
			t.Errorf("layers (-want +got):\n%s", diff)
		}
	})
	t.Run("a manifest says how a layer is compressed", func(t *testing.T) {
		img := Image{Name: "demo/compressed:v1", WithoutProgram: true}
		for _, c := range []Compression{Gzip, Zstd, EStargz} {
			img.Layers = append(img.Layers, Layer{Bytes: 10_000, Content: Random, Seed: 7, Compression: c})
		}
		push(t, registry, img)
		layers := manifestOf(t, registry, img.Name).Layers
		if layers[0].MediaType != types.OCILayer || layers[1].MediaType != types.OCILayerZStd || layers[2].MediaType != types.OCILayer {
			t.Errorf("layers %+v", layers)
		}
		if layers[0].Digest.String() != layersOf(t, registry, "demo/data:v1")[0] {
			t.Error("the gzip layer is not the one of another image")
		}
		if layers[2].Annotations[estargz.TOCJSONDigestAnnotation] == "" {
			t.Errorf("the eStargz layer has no digest of its table of contents: %v", layers[2].Annotations)
		}
	})
	t.Run("a name that is none is refused in one sentence", func(t *testing.T) {
		for _, bad := range []string{"", "UPPER:v1", "demo/one@sha256:12"} {
			_, err := registry.Push(t.Context(), Image{Name: bad})
			if err == nil || !strings.Contains(err.Error(), "write it as repository:tag") {
				t.Errorf("name %q: %v", bad, err)
			}
		}
	})
}

func push(t *testing.T, r *Registry, image Image) string {
	t.Helper()
	digest, err := r.Push(t.Context(), image)
	if err != nil {
		t.Fatal(err)
	}
	return digest
}

// layersOf reads the digests of an image's layers from the registry.
func layersOf(t *testing.T, r *Registry, image string, options ...remote.Option) []string {
	t.Helper()
	var digests []string
	for _, layer := range manifestOf(t, r, image, options...).Layers {
		digests = append(digests, layer.Digest.String())
	}
	return digests
}

func manifestOf(t *testing.T, r *Registry, image string, options ...remote.Option) *v1.Manifest {
	t.Helper()
	ref, err := name.ParseReference(r.Address+"/"+image, name.Insecure)
	if err != nil {
		t.Fatal(err)
	}
	img, err := remote.Image(ref, options...)
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := img.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	return manifest
}
