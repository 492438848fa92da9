// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"bytes"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/containerd/stargz-snapshotter/estargz"
	"github.com/klauspost/compress/zstd"
)

func TestZstdSaysItsSizeUnlessItIsAStream(t *testing.T) {
	for compression, wantKnown := range map[Compression]bool{Zstd: true, ZstdStream: false} {
		layer := Layer{Bytes: 3 << 20, Content: Text, Compression: compression}
		var plain bytes.Buffer
		if err := layer.write(&plain); err != nil {
			t.Fatal(err)
		}
		content := compress(t, layer)
		var header zstd.Header
		if err := header.Decode(content); err != nil {
			t.Fatal(err)
		}
		if header.HasFCS != wantKnown || (wantKnown && header.FrameContentSize != uint64(plain.Len())) {
			t.Errorf("%s: its size is known: %v, %d; want %v, %d", compression, header.HasFCS, header.FrameContentSize, wantKnown, plain.Len())
		}
		decoder, err := zstd.NewReader(bytes.NewReader(content))
		if err != nil {
			t.Fatal(err)
		}
		unpacked, err := io.ReadAll(decoder)
		decoder.Close()
		if err != nil || !bytes.Equal(unpacked, plain.Bytes()) {
			t.Errorf("%s: it does not unpack to the layer: %d bytes, want %d; %v", compression, len(unpacked), plain.Len(), err)
		}
		if part := float64(len(content)) / float64(plain.Len()); part > 0.5 {
			t.Errorf("%s: text compresses to %.2f of its size, want less than half", compression, part)
		}
	}
}

func TestEStargzCanBeReadLazily(t *testing.T) {
	content := compress(t, Layer{Bytes: 1 << 20, Content: Random, Files: 3, Seed: 4, Compression: EStargz})
	reader, err := estargz.Open(io.NewSectionReader(bytes.NewReader(content), 0, int64(len(content))))
	if err != nil {
		t.Fatal(err)
	}
	if _, found := reader.Lookup("data/random-4/000/000002"); !found {
		t.Error("its third file is not in the table of contents")
	}
}

func TestSourceTree(t *testing.T) {
	const size = 10 << 20
	entries := slices.Collect(Layer{Bytes: size, Content: Source, Seed: 3}.entries())
	folders := map[string]bool{}
	var files, small, deepest int
	var total int64
	for _, e := range entries {
		parent := e.name[:strings.LastIndexByte(strings.TrimSuffix(e.name, "/"), '/')]
		if e.folder {
			folders[strings.TrimSuffix(e.name, "/")] = true
			if number := len(folders); number > 8 && !folders[parent] {
				t.Fatalf("folder %s comes before the one that it is in", e.name)
			}
			deepest = max(deepest, strings.Count(e.name, "/"))
			continue
		}
		if !folders[parent] {
			t.Fatalf("file %s comes before its folder", e.name)
		}
		files++
		total += e.bytes
		if e.bytes <= 4096 {
			small++
		}
	}
	if total != size {
		t.Errorf("its files have %d bytes, want %d", total, size)
	}
	if mean := total / int64(files); mean < 5_000 || mean > 9_000 {
		t.Errorf("the files have %d bytes on average, want about 7,000", mean)
	}
	if part := float64(small) / float64(files); part < 0.4 || part > 0.8 {
		t.Errorf("%.2f of the files fit in a block, want more than half", part)
	}
	if deepest < 5 {
		t.Errorf("the deepest folder is at level %d", deepest)
	}
}

// compress is the layer as the registry keeps it.
func compress(t *testing.T, layer Layer) []byte {
	t.Helper()
	var content bytes.Buffer
	if _, err := layer.writeCompressed(&content); err != nil {
		t.Fatal(err)
	}
	return content.Bytes()
}
