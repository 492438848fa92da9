// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package layer

import (
	"archive/tar"
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/headroom-dev/headroom/estimate"
	"github.com/headroom-dev/headroom/imagesize"
)

func TestCountsWhatEntriesTake(t *testing.T) {
	tests := map[string]struct {
		files       []file
		low, likely int64
		inodes      int64
	}{
		"nothing":                  {nil, 0, 0, 0},
		"a file of one byte":       {[]file{{name: "a", size: 1}}, 4096, 2 * 4096, 1},
		"an empty file":            {[]file{{name: "a"}}, 0, 4096, 1},
		"a file of 4097 bytes":     {[]file{{name: "a", size: 4097}}, 8192, 3 * 4096, 1},
		"folders nobody listed":    {[]file{{name: "a/b/c", size: 1}}, 4096, 4 * 4096, 3},
		"the same folder twice":    {[]file{{name: "./a/", kind: tar.TypeDir}, {name: "a/", kind: tar.TypeDir}}, 0, 2 * 4096, 1},
		"a hard link":              {[]file{{name: "a", size: 1}, {name: "b", kind: tar.TypeLink, link: "a"}}, 4096, 2 * 4096, 1},
		"a short link":             {[]file{{name: "a", kind: tar.TypeSymlink, link: strings.Repeat("x", 59)}}, 0, 4096, 1},
		"a long link":              {[]file{{name: "a", kind: tar.TypeSymlink, link: strings.Repeat("x", 60)}}, 4096, 2 * 4096, 1},
		"a whiteout":               {[]file{{name: "a/.wh.b"}}, 0, 2 * 4096, 2},
		"an opaque folder":         {[]file{{name: "a/.wh..wh..opq"}}, 0, 0, 0},
		"a name of GNU or PAX":     {[]file{{name: strings.Repeat("long", 60), size: 5000}}, 8192, 3 * 4096, 1},
		"a path that can't exist":  {[]file{{name: strings.Repeat("a/", 3000) + "b", size: 1}}, 0, 0, 0},
		"devices, which are empty": {[]file{{name: "a", kind: tar.TypeFifo}, {name: "b", kind: tar.TypeChar}}, 0, 4096, 2},
	}
	for what, test := range tests {
		t.Run(what, func(t *testing.T) {
			blob := gzipOf(t, archive(t, test.files...))
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
func mixture(seed uint64, files int) []file {
	r := rand.New(rand.NewPCG(seed, 1))
	all := make([]file, 0, files)
	for i := range files {
		f := file{name: fmt.Sprintf("usr/lib/d%03d/some-file-%06d", r.IntN(1+files/20), i), fill: r.Float64()}
		switch n := r.IntN(100); {
		case n < 10:
			f.kind, f.link = tar.TypeSymlink, "elsewhere"
		case n < 80:
			f.size = r.IntN(8 << 10)
		case n < 99:
			f.size = r.IntN(100 << 10)
		default:
			f.size = r.IntN(3 << 20)
		}
		all = append(all, f)
	}
	return all
}

func TestTheEndsOfALayerTellItsSize(t *testing.T) {
	for seed := range uint64(4) {
		files := mixture(seed, 900)
		plain := archive(t, files...)
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
			"gzip":                  {gzipOf(t, plain), 1.3},
			"gzip of two members":   {gzipOf(t, plain[:half], plain[half:]), 2.2},
			"zstd with its size":    {zstdOf(t, plain), 1.3},
			"zstd without its size": {zstdStream(t, plain), 2},
			"zstd of two frames":    {zstdOf(t, plain[:half], plain[half:]), 2.2},
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
		plain := archive(t, file{name: "models/", kind: tar.TypeDir}, file{name: "models/weights", size: 80 << 20, fill: fill})
		const truth = 80<<20 + 2*block
		for format, blob := range map[string][]byte{"gzip": gzipOf(t, plain), "zstd": zstdOf(t, plain), "zstd stream": zstdStream(t, plain), "tar": plain} {
			got, err := Measure(ends(blob))
			if err != nil {
				t.Fatalf("%s in %s: %v", what, format, err)
			}
			if d := got.DiskBytes; d.Low < 80<<20 || d.Low > truth || d.Likely < truth || (format != "zstd stream" && d.Likely > truth) {
				t.Errorf("%s in %s of %d bytes: %+v, want %d", what, format, len(blob), d, truth)
			}
		}
	}
}

func TestTablesOfContentsAreCountedExactly(t *testing.T) {
	files := append(mixture(5, 300), file{name: "big", size: 5 << 20})
	want, err := countTar(bytes.NewReader(archive(t, files...)))
	if err != nil {
		t.Fatal(err)
	}
	table := tableOf(t, files...)
	index := file{name: stargzIndex, size: len(table)}
	withIndex, err := countTar(bytes.NewReader(archive(t, append([]file{index}, files...)...)))
	if err != nil {
		t.Fatal(err)
	}
	for what, test := range map[string]struct {
		blob []byte
		want sample
	}{
		"eStargz":      {stargz(t, table, files...), withIndex},
		"zstd:chunked": {chunked(t, table, files...), want},
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
	plain := archive(t, files...)
	whole, err := countTar(bytes.NewReader(plain))
	if err != nil {
		t.Fatal(err)
	}
	truth := whole.disk().Likely
	forged := func(size uint32) []byte {
		blob := bytes.Clone(gzipOf(t, plain))
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
	table := tableOf(t, files[:10]...)
	blob := stargz(t, table, files[:200]...)
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
	huge := archive(t, file{name: "a", size: 1})
	copy(huge[124:136], "\x80\x00\x00\x00\x7f\xff\xff\xff\xff\xff\xff\xff")
	for what, blob := range map[string]Blob{
		"nothing":                 {},
		"no archive":              {Size: 1 << 20, Head: bytes.Repeat([]byte("x"), 4096)},
		"gzip of no archive":      ends(gzipOf(t, bytes.Repeat([]byte("x"), 4096))),
		"gzip that breaks off":    {Size: 1 << 20, Head: []byte{0x1f, 0x8b, 8}},
		"the largest file of all": {Size: 1 << 30, Head: gzipOf(t, fixed(huge))},
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
	var files []file
	for i := range 300 {
		files = append(files, file{name: fmt.Sprintf("%d", i) + strings.Repeat("/a", 2000), size: 1})
	}
	if _, err := Measure(ends(gzipOf(t, archive(t, files...)))); err != nil {
		t.Error(err)
	}
	zeros := gzipOf(t, make([]byte, 200<<20))
	if got, err := Measure(Blob{Size: int64(len(zeros)), Head: zeros}); err != nil || got.DiskBytes.High > 1<<20 {
		t.Errorf("an archive that is over at once: %+v, %v", got, err)
	}
	bomb := gzipOf(t, archive(t, file{name: "a", size: 1 << 30, fill: 1}))
	if got, err := Measure(Blob{Size: int64(len(bomb)), Head: bomb}); err != nil || got.DiskBytes.Likely < 1<<30 || got.DiskBytes.Likely > 1<<30+1<<20 {
		t.Errorf("a bomb of 1 GiB that was read whole: %+v, %v", got, err)
	}
}
