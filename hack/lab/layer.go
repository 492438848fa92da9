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

	v1 "github.com/google/go-containerregistry/pkg/v1"
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
	// Files is how many files the bytes are spread over: one by default, or with Tiny as many as it takes.
	Files int
	// Seed makes layers different that are otherwise alike.
	Seed uint64
}

// files is the number of files and the size of all but the last one, which takes the rest.
func (l Layer) files() (count int64, eachBytes int64) {
	count = int64(l.Files)
	if count <= 0 && l.Content == Tiny {
		count = (l.Bytes + tinyFileBytes - 1) / tinyFileBytes
	}
	count = max(count, 1)
	return count, l.Bytes / count
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
	folder := fmt.Sprintf("data/%s-%d", l.Content, l.Seed)
	count, each := l.files()
	for i := range count {
		size := each
		if i == count-1 {
			size = l.Bytes - each*(count-1)
		}
		header := &tar.Header{
			Name: fmt.Sprintf("%s/%03d/%06d", folder, i/1000, i), Mode: 0o644, Size: size, Format: tar.FormatPAX, ModTime: time.Unix(0, 0),
		}
		if err := archive.WriteHeader(header); err != nil {
			return err
		}
		if _, err := io.CopyN(archive, content, size); err != nil {
			return err
		}
	}
	return archive.Close()
}

// writeCompressed writes the layer as registries keep it.
func (l Layer) writeCompressed(w io.Writer) error {
	compressed, err := gzip.NewWriterLevel(w, l.Content.level())
	if err != nil {
		return err
	}
	if err := l.write(compressed); err != nil {
		return err
	}
	return compressed.Close()
}

// described is what a manifest says of a layer.
type described struct {
	digest, diffID v1.Hash
	bytes          int64 // compressed
}

// describe makes the layer once, only to measure it.
func describe(l Layer) (described, error) {
	diffID, digest := sha256.New(), sha256.New()
	var size counter
	compressed, err := gzip.NewWriterLevel(io.MultiWriter(digest, &size), l.Content.level())
	if err != nil {
		return described{}, err
	}
	if err := l.write(io.MultiWriter(diffID, compressed)); err != nil {
		return described{}, err
	}
	if err := compressed.Close(); err != nil {
		return described{}, err
	}
	return described{digest: hashOf(digest), diffID: hashOf(diffID), bytes: int64(size)}, nil
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

func (l *madeUpLayer) Digest() (v1.Hash, error)             { return l.digest, nil }
func (l *madeUpLayer) DiffID() (v1.Hash, error)             { return l.diffID, nil }
func (l *madeUpLayer) Size() (int64, error)                 { return l.bytes, nil }
func (l *madeUpLayer) MediaType() (types.MediaType, error)  { return types.OCILayer, nil }
func (l *madeUpLayer) Uncompressed() (io.ReadCloser, error) { return stream(l.spec.write), nil }
func (l *madeUpLayer) Compressed() (io.ReadCloser, error)   { return stream(l.spec.writeCompressed), nil }

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
