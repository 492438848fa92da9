// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package layer

import (
	"archive/tar"
	"bytes"
	"testing"

	"github.com/headroom-dev/headroom/estimate"
	"github.com/headroom-dev/headroom/imagesize"
	"github.com/headroom-dev/headroom/registry/layer/layertest"
)

func sane(t *testing.T, what string, u imagesize.Unpacked) {
	t.Helper()
	ordered(t, what, u.DiskBytes)
	if u.Inodes < 0 {
		t.Errorf("%s: %d inodes", what, u.Inodes)
	}
}

func ordered(t *testing.T, what string, b estimate.Bytes) {
	t.Helper()
	if b.Low < 0 || b.Low > b.Likely || b.Likely > b.High {
		t.Errorf("%s: %+v is no interval of sizes", what, b)
	}
}

var seeds = []layertest.File{
	{Name: "a/", Kind: tar.TypeDir},
	{Name: "a/b", Size: 5000},
	{Name: "a/link", Kind: tar.TypeSymlink, Link: "b"},
	{Name: "a/hard", Kind: tar.TypeLink, Link: "a/b"},
	{Name: "a/.wh.c"},
}

func FuzzArchive(f *testing.F) {
	plain := layertest.Archive(f, seeds...)
	f.Add(plain, true)
	f.Add(plain[:1200], false)
	f.Add(fixed(bytes.Clone(plain)), false)
	f.Fuzz(func(t *testing.T, plain []byte, whole bool) {
		in, err := open(plainTar, plain, whole)
		if err != nil {
			t.Fatal(err)
		}
		s, err := countTar(in)
		ordered(t, "counted", s.disk())
		if s.tarBytes < 0 || (whole && err == nil && !s.complete) {
			t.Errorf("%d bytes, complete: %v", s.tarBytes, s.complete)
		}
		for _, total := range []int64{0, int64(len(plain)), 1 << 62, 1<<63 - 1} {
			sane(t, "extrapolated", s.extrapolate(estimate.Between(0, total, 1<<63-1)))
		}
	})
}

func FuzzMeasure(f *testing.F) {
	plain := layertest.Archive(f, seeds...)
	for _, blob := range [][]byte{plain, layertest.Gzip(f, plain), layertest.Zstd(f, plain), layertest.ZstdStream(f, plain), layertest.Gzip(f, plain[:600], plain[600:])} {
		f.Add(blob, []byte(nil), int64(len(blob)))
		f.Add(blob[:len(blob)/2], blob[len(blob)/2:], int64(1<<63-1))
		f.Add(blob[:len(blob)/2], blob[len(blob)/2:], int64(2<<20))
	}
	f.Fuzz(func(t *testing.T, head, tail []byte, size int64) {
		if size < int64(len(head)) {
			size = int64(len(head))
		}
		if u, err := Measure(Blob{Size: size, Head: head, Tail: tail}); err == nil {
			sane(t, "measured", u)
		}
	})
}

func FuzzGzipEnd(f *testing.F) {
	f.Add([]byte{0, 0, 0, 0}, int64(1<<20), int64(1<<18), int64(1<<17), int64(1<<16))
	f.Add([]byte{255, 255, 255, 255}, int64(1<<63-1), int64(1<<40), int64(1), int64(1<<62))
	f.Fuzz(func(t *testing.T, tail []byte, size, decoded, consumed, tarBytes int64) {
		b := beginning{size: max(size, 0), decoded: max(decoded, 0), consumed: max(consumed, 1), tarBytes: max(tarBytes, 0)}
		ordered(t, "total", gzipTotal(b, tail))
		b.many = true
		ordered(t, "total of members", gzipTotal(b, tail))
	})
}

func FuzzZstdHead(f *testing.F) {
	f.Add(layertest.Zstd(f, layertest.Archive(f, seeds...)), int64(1<<20), int64(1<<18), int64(1<<17))
	f.Add(layertest.Skippable([]byte("x")), int64(1<<63-1), int64(0), int64(1))
	f.Fuzz(func(t *testing.T, head []byte, size, decoded, consumed int64) {
		b := beginning{size: max(size, 0), decoded: max(decoded, 0), consumed: max(consumed, 1)}
		ordered(t, "total", zstdTotal(b, head))
	})
}

func FuzzTOC(f *testing.F) {
	table := layertest.Table(f, seeds...)
	for _, blob := range [][]byte{layertest.Stargz(f, table, seeds...), layertest.Chunked(f, table, seeds...)} {
		f.Add(blob, int64(0))
		f.Add(blob, int64(1<<62))
	}
	f.Fuzz(func(t *testing.T, blob []byte, more int64) {
		size := estimate.SaturatingAdd(int64(len(blob)), max(more, 0))
		toc, found := FindTOC(size, blob)
		if !found {
			return
		}
		if toc.Offset <= 0 || toc.Length <= 0 || toc.Length > MaxTOC || toc.Offset+toc.Length > size {
			t.Fatalf("%+v in %d bytes", toc, size)
		}
		if toc.Offset+toc.Length <= int64(len(blob)) {
			if u, err := MeasureTOC(size, toc, blob[toc.Offset:toc.Offset+toc.Length]); err == nil {
				sane(t, "listed", u)
			}
		}
	})
}

func FuzzChainIDs(f *testing.F) {
	f.Add([]byte(`{"rootfs":{"type":"layers","diff_ids":["sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"]}}`), 1)
	f.Add([]byte(`{"rootfs":{"diff_ids":["x"]}}`), 1)
	f.Add([]byte(`{}`), 0)
	f.Fuzz(func(t *testing.T, config []byte, layers int) {
		chain, err := ChainIDs(config, layers)
		if err == nil && len(chain) != layers {
			t.Errorf("%d names for %d layers", len(chain), layers)
		}
	})
}
