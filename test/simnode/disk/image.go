// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package disk

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"github.com/distribution/reference"
)

// Layer is one layer of an image.
type Layer struct {
	// Digest names the compressed blob. Equal digests are stored once.
	Digest string
	// CompressedBytes is the size of the blob: what is downloaded, what a
	// manifest declares, and what the content store holds.
	CompressedBytes int64
	// DiskBytes is what the unpacked layer takes in the snapshotter.
	DiskBytes int64
}

// Image is what a registry holds under a name.
type Image struct {
	// Digest is the manifest's digest, "sha256:...". Two names with one digest
	// are one image. Filled in by Catalog.Resolve when empty.
	Digest string
	// Layers from the bottom up. A snapshot is shared only by images with the
	// same layers below it.
	Layers []Layer
	// Pinned keeps the image from garbage collection, like the pause image.
	Pinned bool
}

// ReportedBytes is the size a containerd node reports for the image: the sum of
// its compressed layers, as its manifest declares them.
func (i Image) ReportedBytes() int64 {
	var sum int64
	for _, l := range i.Layers {
		sum += l.CompressedBytes
	}
	return sum
}

// SimpleImage is an image of one layer of its own that is reported as
// reportedBytes and takes diskBytes in all once it is there, blob included.
// With diskBytes below reportedBytes the unpacked layer takes nothing.
func SimpleImage(name string, reportedBytes, diskBytes int64) Image {
	return Image{Layers: []Layer{{
		Digest:          digestOf("layer", name),
		CompressedBytes: reportedBytes,
		DiskBytes:       max(0, diskBytes-reportedBytes),
	}}}
}

// Catalog is the registry: what can be pulled, by image name.
type Catalog struct {
	// Images by name in any spelling that a pod may use.
	Images map[string]Image
	// Default stands for every name that Images lacks; each such name gets
	// layers of its own. Nil means that pulling an unknown name fails.
	Default *Image
}

// Normalized returns a catalog whose keys are canonical names, or an error that
// names the first key that is no image name.
func (c Catalog) Normalized() (Catalog, error) {
	out := Catalog{Images: make(map[string]Image, len(c.Images)), Default: c.Default}
	for name, img := range c.Images {
		canonical, err := CanonicalName(name)
		if err != nil {
			return Catalog{}, err
		}
		out.Images[canonical] = img
	}
	return out, nil
}

// Resolve returns the image of a canonical name, with its digest filled in, and
// whether the catalog has it.
func (c Catalog) Resolve(canonical string) (Image, bool) {
	if named, digest, ok := strings.Cut(canonical, "@"); ok {
		return c.resolveDigest(named, digest)
	}
	if img, ok := c.Images[canonical]; ok {
		return img.withDigest(canonical), true
	}
	if c.Default == nil {
		return Image{}, false
	}
	return c.Default.renamed(canonical).withDigest(canonical), true
}

// renamed is the image with layers of its own for a name.
func (i Image) renamed(canonical string) Image {
	out := Image{Pinned: i.Pinned}
	for n, l := range i.Layers {
		l.Digest = digestOf("layer", canonical+" "+strconv.Itoa(n))
		out.Layers = append(out.Layers, l)
	}
	return out
}

// resolveDigest looks for a digest among the names of one repository.
func (c Catalog) resolveDigest(repository, digest string) (Image, bool) {
	if img, ok := c.Images[repository+"@"+digest]; ok {
		img.Digest = digest
		return img, true
	}
	for name, img := range c.Images {
		if repositoryOf(name) != repository {
			continue
		}
		if img = img.withDigest(name); img.Digest == digest {
			return img, true
		}
	}
	if c.Default == nil {
		return Image{}, false
	}
	img := c.Default.renamed(digest)
	img.Digest = digest
	return img, true
}

func (i Image) withDigest(canonical string) Image {
	if i.Digest != "" {
		return i
	}
	parts := []string{repositoryOf(canonical)}
	for _, l := range i.Layers {
		parts = append(parts, l.Digest)
	}
	i.Digest = digestOf("manifest", strings.Join(parts, " "))
	return i
}

// CanonicalName spells an image name the way containerd lists it: registry and
// path in full, tag "latest" where there is none, no tag where there is a digest.
func CanonicalName(name string) (string, error) {
	ref, err := reference.ParseDockerRef(name)
	if err != nil {
		return "", fmt.Errorf("image name %q: %w", name, err)
	}
	return ref.String(), nil
}

// repositoryOf cuts the tag or digest off a canonical name.
func repositoryOf(canonical string) string {
	if repository, _, ok := strings.Cut(canonical, "@"); ok {
		return repository
	}
	if colon := strings.LastIndexByte(canonical, ':'); colon > strings.LastIndexByte(canonical, '/') {
		return canonical[:colon]
	}
	return canonical
}

func digestOf(kind, what string) string {
	sum := sha256.Sum256([]byte(kind + "\x00" + what))
	return "sha256:" + hex.EncodeToString(sum[:])
}
