// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package layer

import (
	"archive/tar"
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/headroom-dev/headroom/estimate"
	"github.com/headroom-dev/headroom/imagesize"
	"github.com/headroom-dev/headroom/registry/layer/layertest"
)

func TestCountsWhatEntriesTake(t *testing.T) {
	tests := map[string]struct {
		files       []layertest.File
		low, likely int64
		inodes      int64
	}{
		"nothing":                  {nil, 0, 0, 0},
		"a file of one byte":       {[]layertest.File{{Name: "a", Size: 1}}, 4096, 2 * 4096, 1},
		"an empty file":            {[]layertest.File{{Name: "a"}}, 0, 4096, 1},
		"a file of 4097 bytes":     {[]layertest.File{{Name: "a", Size: 4097}}, 8192, 3 * 4096, 1},
		"folders nobody listed":    {[]layertest.File{{Name: "a/b/c", Size: 1}}, 4096, 4 * 4096, 3},
		"the same folder twice":    {[]layertest.File{{Name: "./a/", Kind: tar.TypeDir}, {Name: "a/", Kind: tar.TypeDir}}, 0, 2 * 4096, 1},
		"a hard link":              {[]layertest.File{{Name: "a", Size: 1}, {Name: "b", Kind: tar.TypeLink, Link: "a"}}, 4096, 2 * 4096, 1},
		"a short link":             {[]layertest.File{{Name: "a", Kind: tar.TypeSymlink, Link: strings.Repeat("x", 59)}}, 0, 4096, 1},
		"a long link":              {[]layertest.File{{Name: "a", Kind: tar.TypeSymlink, Link: strings.Repeat("x", 60)}}, 4096, 2 * 4096, 1},
		"a whiteout":               {[]layertest.File{{Name: "a/.wh.b"}}, 0, 2 * 4096, 2},
		"an opaque folder":         {[]layertest.File{{Name: "a/.wh..wh..opq"}}, 0, 0, 0},
		"a name of GNU or PAX":     {[]layertest.File{{Name: strings.Repeat("long", 60), Size: 5000}}, 8192, 3 * 4096, 1},
		"a path that can't exist":  {[]layertest.File{{Name: strings.Repeat("a/", 3000) + "b", Size: 1}}, 0, 0, 0},
		"devices, which are empty": {[]layertest.File{{Name: "a", Kind: tar.TypeFifo}, {Name: "b", Kind: tar.TypeChar}}, 0, 4096, 2},
	}
	for what, test := range tests {
		t.Run(what, func(t *testing.T) {
			blob := layertest.Gzip(t, layertest.Archive(t, test.files...))
			got, err := Measure(ends(blob))
			if err != nil {
				t.Fatal(err)
			}
			want := imagesize.Unpacked{
				DiskBytes: estimate.Between(test.low, test.likely, test.likely+test.likely/100+4*block), Inodes: test.inodes,
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// TestFoldersGrowAsOnExt4 holds the model against what statfs of an ext4 said after
// such folders were unpacked into it.
func TestFoldersGrowAsOnExt4(t *testing.T) {
	tests := map[string]struct {
		names    []string
		measured int64
	}{
		"1000 short names":  {numbered("%06d", 1000), 27_443},
		"30000 long names":  {numbered("some-longer-name-of-a-file-%d.json", 30_000), 2_035_712},
		"100 names":         {numbered("sub-%06d", 100), 4096},
		"an empty folder":   {nil, 4096},
		"as many as fit in": {numbered("%08d", 240), 4096},
	}
	for what, test := range tests {
		entries := int64(0)
		for _, name := range test.names {
			entries += entryBytes(name)
		}
		got := folderBytes(entries)
		if off := float64(got-test.measured) / float64(test.measured); off > 0.05 || off < -0.05 {
			t.Errorf("%s: %d bytes, measured were %d", what, got, test.measured)
		}
	}
}

func numbered(format string, n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf(format, i)
	}
	return names
}

// mixture is a layer of all sorts of files, in random order.
func mixture(seed uint64, files int) []layertest.File {
	r := rand.New(rand.NewPCG(seed, 1))
	all := make([]layertest.File, 0, files)
	for i := range files {
		f := layertest.File{Name: fmt.Sprintf("usr/lib/d%03d/some-file-%06d", r.IntN(1+files/20), i), Fill: r.Float64()}
		switch n := r.IntN(100); {
		case n < 10:
			f.Kind, f.Link = tar.TypeSymlink, "elsewhere"
		case n < 80:
			f.Size = r.IntN(8 << 10)
		case n < 99:
			f.Size = r.IntN(100 << 10)
		default:
			f.Size = r.IntN(3 << 20)
		}
		all = append(all, f)
	}
	return all
}

func TestTheEndsOfALayerTellItsSize(t *testing.T) {
	for seed := range uint64(2) {
		files := mixture(seed, 500)
		plain := layertest.Archive(t, files...)
		whole, err := countTar(bytes.NewReader(plain))
		if err != nil {
			t.Fatal(err)
		}
		truth := whole.disk().Likely
		half := len(plain) / 2
		blobs := map[string]struct {
			blob   []byte
			within float64 // how far off the likely value may be
		}{
			"tar":                   {plain, 1.3},
			"gzip":                  {layertest.Gzip(t, plain), 1.3},
			"gzip of two members":   {layertest.Gzip(t, plain[:half], plain[half:]), 2.2},
			"zstd with its size":    {layertest.Zstd(t, plain), 1.3},
			"zstd without its size": {layertest.ZstdStream(t, plain), 2},
			"zstd of two frames":    {layertest.Zstd(t, plain[:half], plain[half:]), 2.2},
		}
		for what, test := range blobs {
			got, err := Measure(ends(test.blob))
			if err != nil {
				t.Fatalf("%s, seed %d: %v", what, seed, err)
			}
			d := got.DiskBytes
			t.Logf("%s, seed %d: truth %d, %d to %d, likely %d (%.2f)", what, seed, truth, d.Low, d.High, d.Likely, float64(d.Likely)/float64(truth))
			if d.Low > truth || d.High < truth {
				t.Errorf("%s, seed %d: %d bytes are not between %d and %d", what, seed, truth, d.Low, d.High)
			}
			if off := float64(d.Likely) / float64(truth); off > test.within || off < 1/test.within {
				t.Errorf("%s, seed %d: likely %d bytes of %d", what, seed, d.Likely, truth)
			}
		}
	}
}

func TestOneBigFileIsExact(t *testing.T) {
	for what, fill := range map[string]float64{"random": 0, "half empty": 0.5, "zeros": 1} {
		plain := layertest.Archive(t, layertest.File{Name: "models/", Kind: tar.TypeDir}, layertest.File{Name: "models/weights", Size: 6 << 20, Fill: fill})
		const truth = 6<<20 + 2*block
		for format, blob := range map[string][]byte{"gzip": layertest.Gzip(t, plain), "zstd": layertest.Zstd(t, plain), "zstd stream": layertest.ZstdStream(t, plain), "tar": plain} {
			got, err := Measure(ends(blob))
			if err != nil {
				t.Fatalf("%s in %s: %v", what, format, err)
			}
			if d := got.DiskBytes; d.Low < 6<<20 || d.Low > truth || d.Likely < truth || (format != "zstd stream" && d.Likely > truth) {
				t.Errorf("%s in %s of %d bytes: %+v, want %d", what, format, len(blob), d, truth)
			}
		}
	}
}

func TestTablesOfContentsAreCountedExactly(t *testing.T) {
	files := append(mixture(5, 300), layertest.File{Name: "big", Size: 5 << 20})
	want, err := countTar(bytes.NewReader(layertest.Archive(t, files...)))
	if err != nil {
		t.Fatal(err)
	}
	table := layertest.Table(t, files...)
	index := layertest.File{Name: stargzIndex, Size: len(table)}
	withIndex, err := countTar(bytes.NewReader(layertest.Archive(t, append([]layertest.File{index}, files...)...)))
	if err != nil {
		t.Fatal(err)
	}
	for what, test := range map[string]struct {
		blob []byte
		want sample
	}{
		"eStargz":      {layertest.Stargz(t, table, files...), withIndex},
		"zstd:chunked": {layertest.Chunked(t, table, files...), want},
	} {
		read := ends(test.blob)
		toc, found := FindTOC(read.Size, read.Tail)
		if !found {
			t.Fatalf("%s: no table of contents is found", what)
		}
		got, err := MeasureTOC(read.Size, toc, test.blob[toc.Offset:toc.Offset+toc.Length])
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if diff := cmp.Diff(imagesize.Unpacked{DiskBytes: test.want.disk(), Inodes: test.want.inodes}, got); diff != "" {
			t.Errorf("%s -want +got:\n%s", what, diff)
		}
		// Without the table, it is still one of several streams.
		sampled, err := Measure(read)
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if truth := test.want.disk().Likely; sampled.DiskBytes.Low > truth || sampled.DiskBytes.High < truth {
			t.Errorf("%s: %d bytes are not in %+v", what, truth, sampled.DiskBytes)
		}
	}
}

func TestLiesAreNotBelieved(t *testing.T) {
	files := mixture(3, 900)
	plain := layertest.Archive(t, files...)
	whole, err := countTar(bytes.NewReader(plain))
	if err != nil {
		t.Fatal(err)
	}
	truth := whole.disk().Likely
	honest := layertest.Gzip(t, plain)
	forged := func(size uint32) []byte {
		blob := bytes.Clone(honest)
		binary.LittleEndian.PutUint32(blob[len(blob)-4:], size)
		return blob
	}
	for what, blob := range map[string][]byte{
		"a size of nothing":        forged(0),
		"a size of one byte":       forged(1),
		"the largest size":         forged(1<<32 - 1),
		"a size of a gigabyte":     forged(1 << 30),
		"the size of what is read": forged(uint32(len(plain) / 20)),
	} {
		got, err := Measure(ends(blob))
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if d := got.DiskBytes; d.Low > truth || d.High < truth {
			t.Errorf("%s: %d bytes are not between %d and %d", what, truth, d.Low, d.High)
		}
	}
	table := layertest.Table(t, files[:10]...)
	blob := layertest.Stargz(t, table, files[:200]...)
	read := ends(blob)
	toc, found := FindTOC(read.Size, read.Tail)
	if !found {
		t.Fatal("no table of contents is found")
	}
	if got, err := MeasureTOC(read.Size, toc, blob[toc.Offset:]); err == nil {
		t.Errorf("a table that leaves files out is believed: %+v", got)
	}
}

func TestWhatCanNotBeMeasuredFails(t *testing.T) {
	huge := layertest.Archive(t, layertest.File{Name: "a", Size: 1})
	copy(huge[124:136], "\x80\x00\x00\x00\x7f\xff\xff\xff\xff\xff\xff\xff")
	for what, blob := range map[string]Blob{
		"nothing":                 {},
		"no archive":              {Size: 1 << 20, Head: bytes.Repeat([]byte("x"), 4096)},
		"gzip of no archive":      ends(layertest.Gzip(t, bytes.Repeat([]byte("x"), 4096))),
		"gzip that breaks off":    {Size: 1 << 20, Head: []byte{0x1f, 0x8b, 8}},
		"the largest file of all": {Size: 1 << 30, Head: layertest.Gzip(t, fixed(huge))},
	} {
		if got, err := Measure(blob); err == nil {
			t.Errorf("%s: %+v", what, got)
		}
	}
}

// fixed makes the checksum of an archive's first header right.
func fixed(plain []byte) []byte {
	copy(plain[148:156], "        ")
	sum := 0
	for _, b := range plain[:record] {
		sum += int(b)
	}
	copy(plain[148:156], fmt.Sprintf("%06o\x00 ", sum))
	return plain
}

func TestBombsAreCutOff(t *testing.T) {
	// Each header is of a folder as deep as paths get, of names of its own.
	var files []layertest.File
	for i := range 60 {
		files = append(files, layertest.File{Name: strconv.Itoa(i) + strings.Repeat("/a", 2000), Size: 1})
	}
	if _, err := Measure(ends(layertest.Gzip(t, layertest.Archive(t, files...)))); err != nil {
		t.Error(err)
	}
	zeros := layertest.Gzip(t, make([]byte, 80<<20))
	if got, err := Measure(Blob{Size: int64(len(zeros)), Head: zeros}); err != nil || got.DiskBytes.High > 1<<20 {
		t.Errorf("an archive that is over at once: %+v, %v", got, err)
	}
	bomb := layertest.Gzip(t, layertest.Archive(t, layertest.File{Name: "a", Size: 128 << 20, Fill: 1}))
	if got, err := Measure(Blob{Size: int64(len(bomb)), Head: bomb}); err != nil || got.DiskBytes.Likely < 128<<20 || got.DiskBytes.Likely > 129<<20 {
		t.Errorf("a bomb of 128 MiB that was read whole: %+v, %v", got, err)
	}
}

// ends is what a registry's client reads of a blob.
func ends(blob []byte) Blob {
	if len(blob) <= HeadBytes {
		return Blob{Size: int64(len(blob)), Head: blob}
	}
	return Blob{Size: int64(len(blob)), Head: blob[:HeadBytes], Tail: blob[len(blob)-TailBytes:]}
}
