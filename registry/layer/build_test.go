// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package layer

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

// file is an entry of a layer that a test makes.
type file struct {
	name string
	kind byte // a regular file for 0
	size int
	link string
	fill float64 // the share of the content that compresses to nothing
}

func archive(t testing.TB, files ...file) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	content := rand.NewChaCha8([32]byte{7})
	for _, f := range files {
		h := &tar.Header{Name: f.name, Typeflag: f.kind, Size: int64(f.size), Linkname: f.link, Mode: 0o644}
		if f.kind == 0 {
			h.Typeflag = tar.TypeReg
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		body := make([]byte, f.size)
		_, _ = content.Read(body[:int(float64(f.size)*(1-f.fill))])
		if _, err := w.Write(body); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func gzipOf(t testing.TB, parts ...[]byte) []byte {
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

// zstdOf makes one frame of each part, with its size in the header.
func zstdOf(t testing.TB, parts ...[]byte) []byte {
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

// zstdStream makes a frame without a size in its header.
func zstdStream(t testing.TB, part []byte) []byte {
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

func tableOf(t testing.TB, files ...file) []byte {
	t.Helper()
	var entries []tocEntry
	for _, f := range files {
		e := tocEntry{Name: f.name, Size: int64(f.size), LinkName: f.link}
		e.Type = map[byte]string{0: "reg", tar.TypeReg: "reg", tar.TypeDir: "dir", tar.TypeSymlink: "symlink", tar.TypeLink: "hardlink"}[f.kind]
		entries = append(entries, e)
		if f.size > 4<<20 {
			entries = append(entries, tocEntry{Name: f.name, Type: "chunk", Size: int64(f.size)})
		}
	}
	body, err := json.Marshal(map[string]any{"version": 1, "entries": entries})
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// stargz makes a layer as eStargz does: a member for each file, then the table of
// contents, then the footer.
func stargz(t testing.TB, table []byte, files ...file) []byte {
	t.Helper()
	var blob []byte
	for _, f := range files {
		part := archive(t, f)
		blob = append(blob, gzipOf(t, part[:len(part)-trailer])...)
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
	blob = append(blob, gzipOf(t, index.Bytes())...)
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

// chunked makes a layer as zstd:chunked does.
func chunked(t testing.TB, table []byte, files ...file) []byte {
	t.Helper()
	var parts [][]byte
	for _, f := range files {
		part := archive(t, f)
		parts = append(parts, part[:len(part)-trailer])
	}
	blob := zstdOf(t, append(parts, make([]byte, trailer))...)
	packed := zstdOf(t, table)
	offset := len(blob) + 8
	blob = append(blob, skippable(packed)...)
	footer := make([]byte, chunkedFooter)
	binary.LittleEndian.PutUint64(footer, uint64(offset))
	binary.LittleEndian.PutUint64(footer[8:], uint64(len(packed)))
	copy(footer[chunkedFooter-8:], "GNUlInUx")
	return append(blob, skippable(footer)...)
}

func skippable(content []byte) []byte {
	frame := binary.LittleEndian.AppendUint32(nil, 0x184d2a50)
	return append(binary.LittleEndian.AppendUint32(frame, uint32(len(content))), content...)
}

// ends is what a registry's client reads of a blob.
func ends(blob []byte) Blob {
	if len(blob) <= HeadBytes {
		return Blob{Size: int64(len(blob)), Head: blob}
	}
	return Blob{Size: int64(len(blob)), Head: blob[:HeadBytes], Tail: blob[len(blob)-TailBytes:]}
}
