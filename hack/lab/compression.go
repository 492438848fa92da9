// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"

	"github.com/containerd/stargz-snapshotter/estargz"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/klauspost/compress/zstd"
)

// Compression is how a registry keeps a layer.
type Compression string

const (
	// Gzip is what nearly all images have.
	Gzip Compression = ""
	// Zstd writes how large the layer is uncompressed into its first bytes, as the command zstd does with a file.
	Zstd Compression = "zstd"
	// ZstdStream does not: it is written by a program that did not know yet, as image builders are.
	ZstdStream Compression = "zstd-stream"
	// EStargz is Gzip in many members, one for each file, and a table of contents at the end, which is a file of the layer, too.
	// Runtimes that can't pull lazily unpack it like any other layer.
	EStargz Compression = "estargz"
)

// mediaType is what manifests call it.
func (c Compression) mediaType() types.MediaType {
	if c == Zstd || c == ZstdStream {
		return types.OCILayerZStd
	}
	return types.OCILayer
}

// writeCompressed writes the layer as registries keep it, and tells what it unpacks to.
func (l Layer) writeCompressed(w io.Writer) (described, error) {
	var compressed io.WriteCloser
	var err error
	switch l.Compression {
	case EStargz:
		return l.writeEStargz(w)
	case Gzip:
		compressed, err = gzip.NewWriterLevel(w, l.Content.level())
	case Zstd, ZstdStream:
		compressed, err = l.zstdWriter(w)
	default:
		err = fmt.Errorf("compression %q is not known: use zstd, zstd-stream or estargz, or none for gzip", l.Compression)
	}
	if err != nil {
		return described{}, err
	}
	diffID := sha256.New()
	if err := l.write(io.MultiWriter(diffID, compressed)); err != nil {
		return described{}, errors.Join(err, compressed.Close())
	}
	return described{diffID: hashOf(diffID)}, compressed.Close()
}

// zstdWriter compresses what is written to it. More than one block at a time would make its output depend on the machine.
func (l Layer) zstdWriter(w io.Writer) (io.WriteCloser, error) {
	compressed, err := zstd.NewWriter(w, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1))
	if err != nil || l.Compression == ZstdStream {
		return compressed, err
	}
	var size counter
	if err := l.write(&size); err != nil {
		return nil, err
	}
	compressed.ResetContentSize(w, int64(size))
	return compressed, nil
}

// writeEStargz writes the layer as eStargz, with the library that image builders use, so that what readers meet here is what is
// out there.
func (l Layer) writeEStargz(w io.Writer) (described, error) {
	compressed := estargz.NewWriterLevel(w, l.Content.level())
	plain := stream(l.write)
	defer plain.Close()
	if err := compressed.AppendTar(plain); err != nil {
		return described{}, err
	}
	toc, err := compressed.Close()
	if err != nil {
		return described{}, err
	}
	diffID, err := v1.NewHash(compressed.DiffID())
	return described{diffID: diffID, tocDigest: toc.String()}, err
}

// writeUnpacked writes what writeCompressed compresses: the layer, and with eStargz the table of contents.
func (l Layer) writeUnpacked(w io.Writer) error {
	if l.Compression != EStargz {
		return l.write(w)
	}
	compressed := stream(func(w io.Writer) error {
		_, err := l.writeEStargz(w)
		return err
	})
	defer compressed.Close()
	plain, err := gzip.NewReader(compressed)
	if err != nil {
		return err
	}
	_, err = io.Copy(w, plain) //nolint:gosec // it was made here
	return err
}
