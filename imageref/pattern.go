// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package imageref

import (
	"errors"
	"fmt"
	"strings"
)

// Pattern selects images by name. "*" stands for any run of characters, also of slashes and none; everything else stands
// for itself. It is matched against the canonical name ("docker.io/library/nginx:1.29") and against the repository
// ("docker.io/library/nginx"); either is enough. The zero Pattern matches nothing.
type Pattern struct {
	text string
}

// ParsePattern returns the pattern spelled s. Without a "*" it is an image name in any spelling: "nginx" selects every
// tag and digest of docker.io/library/nginx, "nginx:1.29" that tag. With a "*", it must be written as the canonical name
// is, from the registry on.
func ParsePattern(s string) (Pattern, error) {
	switch {
	case s == "":
		return Pattern{}, errors.New("image pattern is empty")
	case len(s) > MaxLength:
		return Pattern{}, fmt.Errorf("image pattern %q has %d bytes: at most %d are allowed", shorten(s), len(s), MaxLength)
	case !strings.Contains(s, "*"):
		return literalPattern(s)
	}
	if i := strings.IndexFunc(s, notOfAName); i >= 0 {
		return Pattern{}, fmt.Errorf("image pattern %q has a character at byte %d that no image name has", shorten(s), i+1)
	}
	host, _, _ := strings.Cut(s, "/")
	if !strings.ContainsAny(host, ".:*") && host != "localhost" {
		return Pattern{}, fmt.Errorf("image pattern %q must start with a registry, such as docker.io/%s, or with *", shorten(s), shorten(s))
	}
	return Pattern{text: s}, nil
}

func literalPattern(s string) (Pattern, error) {
	ref, err := Parse(s)
	if err != nil {
		return Pattern{}, err
	}
	// Parse adds ":latest" where there is neither tag nor digest; as a pattern, such a name means all of the repository.
	if ref.Tag() == "latest" && !strings.HasSuffix(s, ":latest") {
		return Pattern{text: ref.Repository()}, nil
	}
	return Pattern{text: ref.String()}, nil
}

// Matches reports whether r is selected.
func (p Pattern) Matches(r Ref) bool {
	if p.text == "" || r.IsZero() {
		return false
	}
	return glob(p.text, r.String()) || glob(p.text, r.Repository())
}

// String returns the pattern; one without a "*" in canonical form.
func (p Pattern) String() string { return p.text }

// glob matches with one step back to the last star, which is enough for stars: time is at most len(pattern)*len(s).
func glob(pattern, s string) bool {
	p, i, star, resume := 0, 0, -1, 0
	for i < len(s) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, resume = p, i
			p++
		case p < len(pattern) && pattern[p] == s[i]:
			p++
			i++
		case star >= 0:
			resume++
			p, i = star+1, resume
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}

func notOfAName(r rune) bool {
	switch {
	case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9':
		return false
	default:
		return !strings.ContainsRune("._-/:@*[]", r)
	}
}
