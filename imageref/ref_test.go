// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package imageref

import (
	"strings"
	"testing"
)

const (
	hex     = "4bcff63911fcb4448bd4fdacec207030997caf25e9bea4045fa6c8c44de311d1"
	digest  = "sha256:" + hex
	digest5 = "sha512:" + hex + hex
)

func TestParse(t *testing.T) {
	type parts struct{ canonical, repository, host, tag, digest, familiar string }
	tests := map[string]struct {
		in   string
		want parts
	}{
		"a bare name": {"nginx", parts{"docker.io/library/nginx:latest", "docker.io/library/nginx", "docker.io", "latest", "", "nginx:latest"}},
		"a tag":       {"nginx:1.29", parts{"docker.io/library/nginx:1.29", "docker.io/library/nginx", "docker.io", "1.29", "", "nginx:1.29"}},
		"a user's":    {"vllm/vllm-openai:v0.9", parts{"docker.io/vllm/vllm-openai:v0.9", "docker.io/vllm/vllm-openai", "docker.io", "v0.9", "", "vllm/vllm-openai:v0.9"}},
		"Docker Hub's old name": {
			"index.docker.io/nginx",
			parts{"docker.io/library/nginx:latest", "docker.io/library/nginx", "docker.io", "latest", "", "nginx:latest"},
		},
		"a port is not a tag":   {"localhost:5000/a", parts{"localhost:5000/a:latest", "localhost:5000/a", "localhost:5000", "latest", "", "localhost:5000/a:latest"}},
		"a port and a tag":      {"r.example.com:5000/a/b:c", parts{"r.example.com:5000/a/b:c", "r.example.com:5000/a/b", "r.example.com:5000", "c", "", "r.example.com:5000/a/b:c"}},
		"an IPv6 registry":      {"[fd00::1]:5000/a", parts{"[fd00::1]:5000/a:latest", "[fd00::1]:5000/a", "[fd00::1]:5000", "latest", "", "[fd00::1]:5000/a:latest"}},
		"a digest":              {"ghcr.io/a/b@" + digest, parts{"ghcr.io/a/b@" + digest, "ghcr.io/a/b", "ghcr.io", "", digest, "ghcr.io/a/b@" + digest}},
		"a long digest":         {"ghcr.io/a/b@" + digest5, parts{"ghcr.io/a/b@" + digest5, "ghcr.io/a/b", "ghcr.io", "", digest5, "ghcr.io/a/b@" + digest5}},
		"a digest drops a tag":  {"nginx:1.29@" + digest, parts{"docker.io/library/nginx@" + digest, "docker.io/library/nginx", "docker.io", "", digest, "nginx@" + digest}},
		"an image named sha256": {"sha256:abc", parts{"docker.io/library/sha256:abc", "docker.io/library/sha256", "docker.io", "abc", "", "sha256:abc"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r, err := Parse(tt.in)
			if err != nil {
				t.Fatal(err)
			}
			got := parts{r.String(), r.Repository(), r.Host(), r.Tag(), r.Digest(), r.Familiar()}
			if got != tt.want {
				t.Errorf("got  %+v\nwant %+v", got, tt.want)
			}
			if r.IsZero() {
				t.Error("is zero")
			}
		})
	}
}

func TestParseErrors(t *testing.T) {
	tests := map[string]struct{ in, want string }{
		"nothing":            {"", "image name is empty"},
		"a space":            {" nginx", `image name " nginx": invalid reference format`},
		"upper case":         {"NGINX", `image name "NGINX": the repository must be in lower case`},
		"an ID":              {hex, `image name "4bcff63911fcb4448bd4fdacec207030997caf25e9bea4045fa6c8c44de3..." is the ID of an image: use its name`},
		"an empty tag":       {"nginx:", `image name "nginx:": invalid reference format`},
		"an unknown digest":  {"nginx@md5:abc", `image name "nginx@md5:abc": invalid reference format`},
		"control characters": {"nginx\n\x00", `image name "nginx\n\x00": invalid reference format`},
		"far too long":       {strings.Repeat("ä", 5000), `image name "` + strings.Repeat("ä", 30) + `..." has 10000 bytes: at most 1024 are allowed`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r, err := Parse(tt.in)
			if err == nil {
				t.Fatalf("got %s, want an error", r)
			}
			if err.Error() != tt.want {
				t.Errorf("got  %s\nwant %s", err, tt.want)
			}
			if !r.IsZero() {
				t.Errorf("got %s beside an error", r)
			}
		})
	}
}

func TestZeroRef(t *testing.T) {
	var r Ref
	if got := r.String() + r.Host() + r.Repository() + r.Tag() + r.Digest() + r.Familiar(); got != "" {
		t.Errorf("the zero Ref says %q", got)
	}
	if got, err := r.WithDigest(digest); err == nil {
		t.Errorf("the zero Ref with a digest is %s", got)
	}
}

func TestWithDigest(t *testing.T) {
	r, err := Parse("localhost:5000/a:b")
	if err != nil {
		t.Fatal(err)
	}
	pinned, err := r.WithDigest(digest)
	if err != nil {
		t.Fatal(err)
	}
	if want := "localhost:5000/a@" + digest; pinned.String() != want {
		t.Errorf("got %s, want %s", pinned, want)
	}
	if got, err := r.WithDigest("sha256:short"); err == nil {
		t.Errorf("a short digest gives %s", got)
	}
}
