// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package imagesize

import "github.com/headroom-dev/headroom/estimate"

// Manifest is what a registry told about an image for one platform.
type Manifest struct {
	// Digest is the digest the reference resolved to: the index's where there is one.
	Digest string
	// ImageDigest is the digest of the platform's own manifest: Digest where there is no index.
	ImageDigest string
	// CompressedBytes is the sum containerd reports for the image: index, one
	// manifest, config and compressed layers, as their descriptors declare.
	CompressedBytes int64
	// DocumentBytes is the part of it that is not layers: index, manifest and config.
	DocumentBytes int64
	// Layers come from the bottom up.
	Layers []Layer
}

// Layer is one layer of a manifest.
type Layer struct {
	// Digest is of the blob, which is compressed as a rule.
	Digest          string
	CompressedBytes int64
	// ChainID names the snapshot of this layer upon the ones below it (OCI image
	// specification, config.md, "Layer ChainID"): layers share a snapshot only where
	// all that is below them is the same, too. Empty where the config was not read.
	ChainID string
	// Unpacked is zero where nobody has read anything of the layer.
	Unpacked Unpacked
}

// Unpacked is what the files of a layer take on a file system.
type Unpacked struct {
	// DiskBytes are the blocks that its files and folders fill, on a file system
	// with blocks of 4 KiB.
	DiskBytes estimate.Bytes
	// Inodes is the likely number of files, links and folders.
	Inodes int64
}

// IsZero reports whether nobody has read anything of the layer.
func (u Unpacked) IsZero() bool { return u == Unpacked{} }

// Layered reports whether it is known which layers the image has, and which of
// them it could share with another image.
func (m *Manifest) Layered() bool {
	if m == nil || len(m.Layers) == 0 {
		return false
	}
	for i := range m.Layers {
		if m.Layers[i].ChainID == "" || m.Layers[i].Digest == "" {
			return false
		}
	}
	return true
}
