// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package imageref

import (
	"strings"
	"testing"
)

func TestPatternMatches(t *testing.T) {
	tests := map[string]struct {
		pattern, image string
		want           bool
	}{
		"a repository matches every tag":             {"docker.io/library/nginx", "nginx:1.29", true},
		"a repository matches every digest":          {"docker.io/library/nginx", "nginx@" + digest, true},
		"a short name is written out":                {"nginx", "docker.io/library/nginx:1", true},
		"a repository is not a prefix":               {"docker.io/library/nginx", "nginx-unprivileged", false},
		"a tag matches itself":                       {"nginx:1.29", "nginx:1.29", true},
		"a tag matches no other":                     {"nginx:1.29", "nginx:1.2", false},
		"latest that is written matches only latest": {"nginx:latest", "nginx:1.29", false},
		"a star goes over slashes":                   {"registry.example.com/models/*", "registry.example.com/models/a/b:c", true},
		"a star is not any registry":                 {"registry.example.com/models/*", "registry.example.org/models/a", false},
		"a dot is a dot":                             {"registry.example.com/*", "registryxexample.com/a", false},
		"a star in the middle":                       {"*/models/*:v1", "ghcr.io/x/models/y:v1", true},
		"a star that has to try twice":               {"*ab", "ghcr.io/ab/aab", true},
		"a star for the tag":                         {"ghcr.io/a/b:v1.*", "ghcr.io/a/b:v1.7", true},
		"two stars":                                  {"ghcr.io/**", "ghcr.io/a", true},
		"all":                                        {"*", "nginx", true},
		"a port":                                     {"localhost:5000/*", "localhost:5000/a", true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			p, err := ParsePattern(tt.pattern)
			if err != nil {
				t.Fatal(err)
			}
			r, err := Parse(tt.image)
			if err != nil {
				t.Fatal(err)
			}
			if got := p.Matches(r); got != tt.want {
				t.Errorf("%s matches %s: %t, want %t", p, r, got, tt.want)
			}
		})
	}
}

func TestZeroPatternAndZeroRefDoNotMatch(t *testing.T) {
	r, err := Parse("nginx")
	if err != nil {
		t.Fatal(err)
	}
	all, err := ParsePattern("*")
	if err != nil {
		t.Fatal(err)
	}
	if (Pattern{}).Matches(r) || all.Matches(Ref{}) || (Pattern{}).Matches(Ref{}) {
		t.Error("nothing matches something")
	}
}

func TestParsePatternErrors(t *testing.T) {
	tests := map[string]struct{ in, want string }{
		"nothing":                   {"", "image pattern is empty"},
		"no registry before a star": {"models/*", `image pattern "models/*" must start with a registry, such as docker.io/models/*, or with *`},
		"a character no name has":   {"ghcr.io/a b*", `image pattern "ghcr.io/a b*" has a character at byte 10 that no image name has`},
		"a name that is none":       {"UPPER", `image name "UPPER": the repository must be in lower case`},
		"far too long":              {strings.Repeat("*", 2000), `image pattern "` + strings.Repeat("*", 60) + `..." has 2000 bytes: at most 1024 are allowed`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			p, err := ParsePattern(tt.in)
			if err == nil {
				t.Fatalf("got %s, want an error", p)
			}
			if err.Error() != tt.want {
				t.Errorf("got  %s\nwant %s", err, tt.want)
			}
		})
	}
}
