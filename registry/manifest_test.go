// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"strings"
	"testing"

	"github.com/headroom-dev/headroom/imagesize"
)

func TestParseDocumentRefuses(t *testing.T) {
	tests := map[string]struct{ body, want string }{
		"nothing":           {``, "not valid JSON"},
		"no JSON":           {`<html>`, "not valid JSON"},
		"an empty object":   {`{}`, "neither an image manifest nor an index"},
		"both at once":      {`{"manifests":[],"config":{"digest":"sha256:00"}}`, "an image and an index at once"},
		"an index's layers": {`{"manifests":[],"layers":[{}]}`, "an image and an index at once"},
		"two documents":     {`{"manifests":[]}{"manifests":[]}`, "not valid JSON"},
		"schema 1, empty":   {`{"schemaVersion":1,"fsLayers":[]}`, "schema 1 and names no layers"},
		"schema 1, broken":  {`{"schemaVersion":1,"fsLayers":{"blobSum":"sha256:00"}}`, "schema 1 and names no layers"},
	}
	for what, test := range tests {
		if d, err := parseDocument("", []byte(test.body)); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %+v, %v, want an error with %q", what, d, err, test.want)
		}
	}
}

func TestChoosesThePlatformsManifest(t *testing.T) {
	body := `{"manifests":[
		{"digest":"attestation","platform":{"os":"unknown","architecture":"unknown"}},
		{"digest":"none"},
		{"digest":"amd64v3","platform":{"os":"linux","architecture":"amd64","variant":"v3"}},
		{"digest":"amd64","platform":{"os":"linux","architecture":"amd64"}},
		{"digest":"armv6","platform":{"os":"linux","architecture":"arm","variant":"v6"}},
		{"digest":"armv7","platform":{"os":"linux","architecture":"arm","variant":"v7"}},
		{"digest":"armv5","platform":{"os":"linux","architecture":"arm","variant":"v5"}},
		{"digest":"arm64v8","platform":{"os":"linux","architecture":"arm64","variant":"v8"}},
		{"digest":"windows1","platform":{"os":"windows","architecture":"amd64","os.version":"10.0.1"}},
		{"digest":"windows2","platform":{"os":"windows","architecture":"amd64","os.version":"10.0.2"}}]}`
	d, err := parseDocument("", []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	for platform, want := range map[string]string{
		"linux/amd64": "amd64", "linux/arm": "armv7", "linux/arm64": "arm64v8", "windows/amd64": "windows1", "linux/s390x": "",
	} {
		os, architecture, _ := strings.Cut(platform, "/")
		if got, _ := d.choose(imagesize.Platform{OS: os, Architecture: architecture}); got.digest != want {
			t.Errorf("%s gets %q, want %q", platform, got.digest, want)
		}
	}
}

func FuzzParseDocument(f *testing.F) {
	f.Add([]byte(`{"manifests":[{"digest":"sha256:00","size":5,"platform":{"os":"linux","architecture":"amd64"}}]}`))
	f.Add([]byte(`{"config":{"digest":"sha256:00","size":9223372036854775807},"layers":[{"size":9223372036854775807}]}`))
	f.Add([]byte(`{"config":{"digest":"x","size":1e3}}`))
	f.Add([]byte(`{"schemaVersion":1,"fsLayers":[{"blobSum":"sha256:00"}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		d, err := parseDocument("sha256:00", body)
		if err != nil {
			return
		}
		c, _ := d.choose(amd64)
		for _, m := range []imagesize.Manifest{image(nil, child{}, d), image(&d, c, d)} {
			largest := int64(0)
			for _, l := range m.Layers {
				largest = max(largest, l.CompressedBytes)
			}
			if m.CompressedBytes < largest || m.CompressedBytes < 0 {
				t.Fatalf("an image of %d bytes has a layer of %d", m.CompressedBytes, largest)
			}
		}
	})
}
