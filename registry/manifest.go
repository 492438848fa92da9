// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/headroom-dev/headroom/estimate"
	"github.com/headroom-dev/headroom/imagesize"
)

// document is what is kept of a manifest or an index.
type document struct {
	digest   string
	bytes    int64   // of the document itself
	children []child // of an index, nil for a manifest
	isIndex  bool
	config   descriptor
	layers   []imagesize.Layer
	readable []bool // by layer: of a kind that a runtime unpacks, and the registry has it
	schema1  bool   // the layers' sizes are not of the document
}

// child is a manifest that an index lists for a platform.
type child struct {
	platform imagesize.Platform
	variant  string
	digest   string
	bytes    int64
}

type descriptor struct {
	MediaType string    `json:"mediaType"`
	Digest    string    `json:"digest"`
	Size      int64     `json:"size"`
	Platform  *platform `json:"platform"`
	URLs      []string  `json:"urls"`
}

type platform struct {
	OS           string `json:"os"`
	Architecture string `json:"architecture"`
	Variant      string `json:"variant"`
}

// parseDocument reads a manifest or an index, told apart by content as
// containerd does: the Content-Type is whatever the server likes.
func parseDocument(digest string, body []byte) (document, error) {
	var m struct {
		Manifests []descriptor `json:"manifests"`
		Config    *descriptor  `json:"config"`
		Layers    []descriptor `json:"layers"`
		// FSLayers are the layers of schema 1, by their digests alone.
		FSLayers json.RawMessage `json:"fsLayers"`
	}
	if err := json.Unmarshal(body, &m); err != nil {
		return document{}, failure(Malformed, err, "the manifest is not valid JSON")
	}
	d := document{digest: digest, bytes: int64(len(body))}
	switch hasConfig := m.Config != nil && m.Config.Digest != ""; {
	case m.Manifests != nil && (hasConfig || len(m.Layers) > 0):
		// What is read as one thing here could be pulled as the other.
		return document{}, failure(Malformed, nil, "the manifest claims to be an image and an index at once")
	case m.Manifests != nil:
		d.isIndex = true
		for _, c := range m.Manifests {
			if c.Platform == nil || c.Digest == "" {
				continue
			}
			d.children = append(d.children, child{
				platform: imagesize.Platform{OS: c.Platform.OS, Architecture: c.Platform.Architecture},
				variant:  c.Platform.Variant,
				digest:   c.Digest,
				bytes:    max(0, c.Size),
			})
		}
	case hasConfig:
		d.config = descriptor{Digest: m.Config.Digest, Size: max(0, m.Config.Size)}
		for _, l := range m.Layers {
			d.readable = append(d.readable, l.unpackable())
			d.layers = append(d.layers, imagesize.Layer{Digest: l.Digest, CompressedBytes: max(0, l.Size)})
		}
	case m.FSLayers != nil:
		if err := d.readSchema1(m.FSLayers); err != nil {
			return document{}, err
		}
	default:
		return document{}, failure(Malformed, errNotManifest, "the registry's answer is no image")
	}
	return d, nil
}

// unpackable says whether a layer is of a kind that runtimes unpack, and the registry's
// own. What is encrypted, or somebody else's to distribute, is not.
func (d descriptor) unpackable() bool {
	kind, oci := strings.CutPrefix(d.MediaType, "application/vnd.oci.image.layer.v1.tar")
	if !oci {
		var docker bool
		if kind, docker = strings.CutPrefix(d.MediaType, "application/vnd.docker.image.rootfs.diff.tar"); !docker {
			return false
		}
	}
	return len(d.URLs) == 0 && slices.Contains([]string{"", "+gzip", ".gzip", "+zstd", ".zstd"}, kind)
}

// choose returns the manifest of an index for a platform, as containerd would
// on an ordinary node of it: the plain variant first; on 32-bit ARM the newest.
func (d document) choose(p imagesize.Platform) (child, bool) {
	best, bestRank := child{}, -1
	for _, c := range d.children {
		if c.platform != p {
			continue
		}
		if r := variantRank(p.Architecture, c.variant); r > bestRank {
			best, bestRank = c, r
		}
	}
	return best, bestRank >= 0
}

func variantRank(architecture, variant string) int {
	if variant == "" {
		// Plain "arm" is v7, plain "arm64" v8, plain "amd64" v1.
		variant = map[string]string{"arm": "v7", "arm64": "v8", "amd64": "v1"}[architecture]
	}
	order := map[string][]string{
		"arm":   {"v5", "v6", "v7"},
		"arm64": {"v8"},
		// A plain processor can't run v2 and up, and nobody tells which one a node has.
		"amd64": {"v4", "v3", "v2", "v1"},
	}[architecture]
	for i, v := range order {
		if v == variant {
			return i + 1
		}
	}
	return 0
}

// image returns the size of an image from its manifest d, which index lists (nil for an
// image without one). It is the sum that containerd reports for the image
// (pkg/imageusage): sizes as declared, those below zero ignored, a layer that is listed twice
// counted twice. Sums saturate.
func image(index *document, c child, d document) imagesize.Manifest {
	m := imagesize.Manifest{Digest: d.digest, ImageDigest: d.digest, DocumentBytes: d.bytes, Layers: slices.Clone(d.layers)}
	if index != nil {
		m.Digest = index.digest
		m.DocumentBytes = estimate.SaturatingAdd(index.bytes, c.bytes)
	}
	m.DocumentBytes = estimate.SaturatingAdd(m.DocumentBytes, d.config.Size)
	m.CompressedBytes = m.DocumentBytes
	for _, l := range d.layers {
		m.CompressedBytes = estimate.SaturatingAdd(m.CompressedBytes, l.CompressedBytes)
	}
	return m
}
