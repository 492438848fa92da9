// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package imageref

import (
	"slices"
	"strings"
)

// OfStatusNames returns the images that a node reports under these names, which are those of one entry of
// node.status.images: repository digests and tags. Names that say nothing ("<none>@<none>", "<none>:<none>"), bare image
// IDs and what doesn't parse are skipped, as are repetitions.
func OfStatusNames(names []string) []Ref {
	var refs []Ref
	for _, name := range names {
		if strings.Contains(name, "<none>") || bareID(name) {
			continue
		}
		ref, err := Parse(name)
		if err != nil || slices.Contains(refs, ref) {
			continue
		}
		refs = append(refs, ref)
	}
	return refs
}

// ParseImageID returns the image that a container status names in imageID, such as
// "docker.io/library/nginx@sha256:4bcf..." or, from dockershim, "docker-pullable://nginx@sha256:4bcf...". It is false
// where imageID names no repository and digest: a bare ID says nothing about where the image came from.
func ParseImageID(imageID string) (Ref, bool) {
	if _, after, found := strings.Cut(imageID, "://"); found {
		imageID = after
	}
	if bareID(imageID) {
		return Ref{}, false
	}
	ref, err := Parse(imageID)
	if err != nil || ref.Digest() == "" {
		return Ref{}, false
	}
	return ref, true
}

// bareID reports whether s is the ID of an image and not a name. "sha256:" and hexadecimal digits would parse as the tag
// of an image called sha256.
func bareID(s string) bool {
	for _, algorithm := range []string{"sha256:", "sha384:", "sha512:"} {
		s = strings.TrimPrefix(s, algorithm)
	}
	if len(s) < 64 {
		return false
	}
	return strings.Trim(s, "0123456789abcdef") == ""
}
