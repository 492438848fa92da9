// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"time"

	"github.com/containerd/stargz-snapshotter/estargz"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Layer describes a layer of a made-up image. Equal descriptions make equal layers, with one digest, which a registry and a node
// keep once.
type Layer struct {
	// Bytes is the size of all its files together. The layer's tar adds 512 bytes and some rounding for each file.
	Bytes int64
	// Content says what is in the files: how well they compress.
	Content Content
	// Files is how many files the bytes are spread over: one by default, or with Tiny and Source as many as it takes.
	Files int
	// Seed makes layers different that are otherwise alike.
	Seed uint64
	// Compression is how the registry keeps the layer: Gzip by default. Layers that differ in nothing else have different digests,
	// and what they unpack to is the same, except with EStargz.
	Compression Compression
}

// write writes the layer as a tar archive.
func (l Layer) write(w io.Writer) error {
	if l.Bytes < 0 || l.Files < 0 {
		return fmt.Errorf("a layer can't have %d bytes in %d files", l.Bytes, l.Files)
	}
	content, err := l.Content.reader(l.Seed)
	if err != nil {
		return err
	}
	archive := tar.NewWriter(w)
	for entry := range l.entries() {
		header := &tar.Header{Name: entry.name, Mode: 0o644, Size: entry.bytes, Format: tar.FormatPAX, ModTime: time.Unix(0, 0)}
		if entry.folder {
			header.Typeflag, header.Mode = tar.TypeDir, 0o755
		}
		if err := archive.WriteHeader(header); err != nil {
			return err
		}
		if _, err := io.CopyN(archive, content, entry.bytes); err != nil {
			return err
		}
	}
	return archive.Close()
}

// described is what a manifest says of a layer.
type described struct {
	digest, diffID v1.Hash
	bytes          int64  // compressed
	tocDigest      string // of an EStargz layer's table of contents
}

// describe makes the layer once, only to measure it.
func describe(l Layer) (described, error) {
	digest := sha256.New()
	var size counter
	d, err := l.writeCompressed(io.MultiWriter(digest, &size))
	d.digest, d.bytes = hashOf(digest), int64(size)
	return d, err
}

// counter counts the bytes written to it.
type counter int64

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

func hashOf(h hash.Hash) v1.Hash {
	return v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(h.Sum(nil))}
}

// madeUpLayer makes its content each time it is read, so that it needs no memory and no disk.
type madeUpLayer struct {
	spec Layer
	described
}

func (l *madeUpLayer) Digest() (v1.Hash, error) { return l.digest, nil }
func (l *madeUpLayer) DiffID() (v1.Hash, error) { return l.diffID, nil }
func (l *madeUpLayer) Size() (int64, error)     { return l.bytes, nil }
func (l *madeUpLayer) MediaType() (types.MediaType, error) {
	return l.spec.Compression.mediaType(), nil
}

func (l *madeUpLayer) Uncompressed() (io.ReadCloser, error) { return stream(l.spec.writeUnpacked), nil }

func (l *madeUpLayer) Compressed() (io.ReadCloser, error) {
	return stream(func(w io.Writer) error {
		_, err := l.spec.writeCompressed(w)
		return err
	}), nil
}

// addendum is the layer with what a manifest says beside its digest and size.
func (l *madeUpLayer) addendum() mutate.Addendum {
	a := mutate.Addendum{Layer: l, MediaType: l.spec.Compression.mediaType()}
	if l.tocDigest != "" {
		a.Annotations = map[string]string{estargz.TOCJSONDigestAnnotation: l.tocDigest}
	}
	return a
}

// stream turns a function that writes into something to read.
func stream(write func(io.Writer) error) io.ReadCloser {
	r, w := io.Pipe()
	go func() { w.CloseWithError(write(w)) }()
	return r
}

// newProgramLayer is the layer with the program that every image runs.
func newProgramLayer(program []byte) (v1.Layer, error) {
	var content, plain bytes.Buffer
	archive := tar.NewWriter(&plain)
	header := &tar.Header{Name: "pause", Mode: 0o755, Size: int64(len(program)), Format: tar.FormatPAX, ModTime: time.Unix(0, 0)}
	if err := archive.WriteHeader(header); err != nil {
		return nil, err
	}
	if _, err := archive.Write(program); err != nil {
		return nil, err
	}
	if err := archive.Close(); err != nil {
		return nil, err
	}
	diffID := sha256.Sum256(plain.Bytes())
	compressed, err := gzip.NewWriterLevel(&content, gzip.BestSpeed)
	if err != nil {
		return nil, err
	}
	if _, err := plain.WriteTo(compressed); err != nil {
		return nil, err
	}
	if err := compressed.Close(); err != nil {
		return nil, err
	}
	return &programLayer{
		Layer:  static.NewLayer(content.Bytes(), types.OCILayer),
		diffID: v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(diffID[:])},
	}, nil
}

// programLayer is compressed already; static.Layer takes what it is given for the uncompressed form, too.
type programLayer struct {
	v1.Layer
	diffID v1.Hash
}

func (l *programLayer) DiffID() (v1.Hash, error) { return l.diffID, nil }

func (l *programLayer) Uncompressed() (io.ReadCloser, error) {
	compressed, err := l.Compressed()
	if err != nil {
		return nil, err
	}
	return gzip.NewReader(compressed)
}
