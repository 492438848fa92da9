// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

// Package layertest makes blobs of layers as the tools do that write them.
package layertest

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/klauspost/compress/zstd"
)

const (
	trailer       = 1024
	stargzIndex   = "stargz.index.json"
	stargzFooter  = 51
	chunkedFooter = 64
)

type entry struct {
	Name     string `json:"name"`
	Type     string `json:"type"`
	Size     int64  `json:"size"`
	LinkName string `json:"linkName"`
}

// File is an entry of a layer.
type File struct {
	Name string
	Kind byte // of archive/tar; 0 for a regular file
	Size int
	Link string
	Fill float64 // the share of the content that compresses to nothing
}

// Archive makes a tar archive. Its content is random, and the same each time.
func Archive(t testing.TB, files ...File) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	content := rand.NewChaCha8([32]byte{7})
	for _, f := range files {
		h := &tar.Header{Name: f.Name, Typeflag: f.Kind, Size: int64(f.Size), Linkname: f.Link, Mode: 0o644}
		if f.Kind == 0 {
			h.Typeflag = tar.TypeReg
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		body := make([]byte, f.Size)
		_, _ = content.Read(body[:int(float64(f.Size)*(1-f.Fill))])
		if _, err := w.Write(body); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// Gzip makes one member of each part.
func Gzip(t testing.TB, parts ...[]byte) []byte {
	t.Helper()
	var b bytes.Buffer
	for _, part := range parts {
		w := gzip.NewWriter(&b)
		if _, err := w.Write(part); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

// Zstd makes one frame of each part, with its size in the header.
func Zstd(t testing.TB, parts ...[]byte) []byte {
	t.Helper()
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	var all []byte
	for _, part := range parts {
		all = w.EncodeAll(part, all)
	}
	return all
}

// ZstdStream makes a frame without a size in its header.
func ZstdStream(t testing.TB, part []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := zstd.NewWriter(&b)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(part); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// Table makes the table of contents of eStargz and zstd:chunked.
func Table(t testing.TB, files ...File) []byte {
	t.Helper()
	var entries []entry
	for _, f := range files {
		e := entry{Name: f.Name, Size: int64(f.Size), LinkName: f.Link}
		e.Type = map[byte]string{0: "reg", tar.TypeReg: "reg", tar.TypeDir: "dir", tar.TypeSymlink: "symlink", tar.TypeLink: "hardlink"}[f.Kind]
		entries = append(entries, e)
		if f.Size > 4<<20 {
			entries = append(entries, entry{Name: f.Name, Type: "chunk", Size: int64(f.Size)})
		}
	}
	body, err := json.Marshal(map[string]any{"version": 1, "entries": entries})
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// Stargz makes a layer as eStargz does: a member for each file, then the table of
// contents, then the footer.
func Stargz(t testing.TB, table []byte, files ...File) []byte {
	t.Helper()
	var blob []byte
	for _, f := range files {
		part := Archive(t, f)
		blob = append(blob, Gzip(t, part[:len(part)-trailer])...)
	}
	offset := len(blob)
	var index bytes.Buffer
	w := tar.NewWriter(&index)
	if err := w.WriteHeader(&tar.Header{Name: stargzIndex, Typeflag: tar.TypeReg, Size: int64(len(table))}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(table); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	blob = append(blob, Gzip(t, index.Bytes())...)
	return append(blob, stargzEnd(t, int64(offset))...)
}

func stargzEnd(t testing.TB, offset int64) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.NoCompression)
	if err != nil {
		t.Fatal(err)
	}
	w.Extra = append([]byte("SG\x16\x00"), fmt.Sprintf("%016xSTARGZ", offset)...)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if b.Len() != stargzFooter {
		t.Fatalf("the footer has %d bytes, want %d", b.Len(), stargzFooter)
	}
	return b.Bytes()
}

// Chunked makes a layer as zstd:chunked does.
func Chunked(t testing.TB, table []byte, files ...File) []byte {
	t.Helper()
	var parts [][]byte
	for _, f := range files {
		part := Archive(t, f)
		parts = append(parts, part[:len(part)-trailer])
	}
	blob := Zstd(t, append(parts, make([]byte, trailer))...)
	packed := Zstd(t, table)
	offset := len(blob) + 8
	blob = append(blob, Skippable(packed)...)
	footer := make([]byte, chunkedFooter)
	binary.LittleEndian.PutUint64(footer, uint64(offset))
	binary.LittleEndian.PutUint64(footer[8:], uint64(len(packed)))
	copy(footer[chunkedFooter-8:], "GNUlInUx")
	return append(blob, Skippable(footer)...)
}

// Skippable makes a frame of zstd without content.
func Skippable(content []byte) []byte {
	frame := binary.LittleEndian.AppendUint32(nil, 0x184d2a50)
	return append(binary.LittleEndian.AppendUint32(frame, uint32(len(content))), content...) //nolint:gosec // G115: tests have no frames of gigabytes
}
