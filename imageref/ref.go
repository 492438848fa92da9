// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

// Package imageref gives every spelling of an image name one canonical form, and says which images a pod spec pulls.
//
// The canonical form is containerd's: the registry and, on Docker Hub, "library/" are written out, a name without a tag
// gets ":latest", and a tag is dropped where there is a digest. Names come from anyone who may create a pod, so every
// parser here takes any input, in bounded time.
package imageref

import (
	_ "crypto/sha256" // Digests are only accepted for algorithms that are linked in.
	_ "crypto/sha512"
	"errors"
	"fmt"
	"strings"
	"unique"

	"github.com/distribution/reference"
	godigest "github.com/opencontainers/go-digest"
)

// MaxLength is how many bytes an image name may have: more than the longest valid reference, with a name of 255, a tag of 128
// and a sha512 digest.
const MaxLength = 1024

// Ref is the canonical name of an image. Two Refs are equal when a runtime would resolve them as the same reference; it
// can be the key of a map. The zero Ref is no image.
//
// It is one pointer to a text that all Refs of that name share, for as long as there is one: thousands of nodes and pods name
// the same images.
type Ref struct {
	name unique.Handle[string]
}

// Parse returns the canonical form of an image name as users write it in a pod. It follows
// distribution/reference.ParseDockerRef, which is what containerd does. The error is one sentence that quotes s, shortened.
func Parse(s string) (Ref, error) {
	if s == "" {
		return Ref{}, errors.New("image name is empty")
	}
	if len(s) > MaxLength {
		return Ref{}, fmt.Errorf("image name %q has %d bytes: at most %d are allowed", shorten(s), len(s), MaxLength)
	}
	if isCanonical(s) {
		return Ref{name: unique.Make(s)}, nil
	}
	named, err := reference.ParseDockerRef(s)
	if err != nil {
		return Ref{}, explain(s, err)
	}
	return Ref{name: unique.Make(named.String())}, nil
}

// explain says what is wrong with s. Only errors of fixed text are passed on: others of the reference package hold all of s,
// control characters included.
func explain(s string, err error) error {
	if bareID(s) {
		return fmt.Errorf("image name %q is the ID of an image: use its name", shorten(s))
	}
	if lower := strings.ToLower(s); lower != s {
		if _, errLower := reference.ParseDockerRef(lower); errLower == nil {
			return fmt.Errorf("image name %q: the repository must be in lower case", shorten(s))
		}
	}
	for _, fixed := range []error{
		reference.ErrNameTooLong, godigest.ErrDigestInvalidLength, godigest.ErrDigestUnsupported, godigest.ErrDigestInvalidFormat,
	} {
		if errors.Is(err, fixed) {
			return fmt.Errorf("image name %q: %w", shorten(s), fixed)
		}
	}
	return fmt.Errorf("image name %q: %w", shorten(s), reference.ErrReferenceInvalidFormat)
}

// String returns the canonical name, such as "docker.io/library/nginx:latest"; "" for the zero Ref.
func (r Ref) String() string {
	if r.IsZero() {
		return ""
	}
	return r.name.Value()
}

// MarshalText implements [encoding.TextMarshaler]: it is String.
func (r Ref) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler]: it is Parse, but that no text is the zero Ref.
func (r *Ref) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*r = Ref{}
		return nil
	}
	parsed, err := Parse(string(text))
	if err != nil {
		return err
	}
	*r = parsed
	return nil
}

// IsZero reports whether r is no image.
func (r Ref) IsZero() bool { return r == Ref{} }

// Repository returns the name without tag and digest, such as "docker.io/library/nginx".
func (r Ref) Repository() string {
	repository, _, _ := r.split()
	return repository
}

// Host returns the registry, with its port if it has one, such as "docker.io" or "localhost:5000".
func (r Ref) Host() string {
	host, _, _ := strings.Cut(r.String(), "/")
	return host
}

// Tag returns the tag, "" when the image is named by digest.
func (r Ref) Tag() string {
	_, tag, _ := r.split()
	return tag
}

// Digest returns the digest, such as "sha256:4bcf...", and "" when the image is named by tag.
func (r Ref) Digest() string {
	_, _, digest := r.split()
	return digest
}

// WithDigest returns the image of the same repository that has this digest ("sha256:" and 64 hexadecimal digits).
func (r Ref) WithDigest(digest string) (Ref, error) {
	if r.IsZero() {
		return Ref{}, fmt.Errorf("no image to give digest %q to", shorten(digest))
	}
	return Parse(r.Repository() + "@" + digest)
}

// Familiar returns the name as users type it: without "docker.io/" and "library/", unless that would name another image.
// The tag is kept, also ":latest".
func (r Ref) Familiar() string {
	canonical := r.String()
	named, err := reference.ParseNormalizedNamed(canonical)
	if err != nil {
		return canonical
	}
	familiar := reference.FamiliarString(named)
	// docker.io/ghcr.io/a is a repository on Docker Hub; ghcr.io/a is not.
	if again, err := Parse(familiar); err != nil || again != r {
		return canonical
	}
	return familiar
}

// split takes a canonical name apart: it has either a digest or a tag. A colon before the last slash belongs to a port.
func (r Ref) split() (repository, tag, digest string) {
	canonical := r.String()
	if repository, digest, found := strings.Cut(canonical, "@"); found {
		return repository, "", digest
	}
	slash := strings.LastIndexByte(canonical, '/')
	if colon := strings.LastIndexByte(canonical, ':'); colon > slash {
		return canonical[:colon], canonical[colon+1:], ""
	}
	return canonical, "", ""
}

// shorten keeps hostile input from filling a message.
func shorten(s string) string {
	const limit = 60
	if len(s) <= limit {
		return s
	}
	return strings.ToValidUTF8(s[:limit], "") + "..."
}
