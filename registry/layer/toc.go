// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package layer

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/headroom-dev/headroom/estimate"
	"github.com/headroom-dev/headroom/imagesize"
)

// MaxTOC is the largest table of contents that is worth being read, compressed.
const MaxTOC = 4 << 20

// TOC is where a blob has its table of contents, as eStargz and zstd:chunked do.
type TOC struct {
	Offset, Length int64
	format         format
}

const (
	stargzFooter  = 51
	stargzIndex   = "stargz.index.json"
	chunkedFooter = 64 // the content of the frame
)

// FindTOC finds the table of contents by the end of a blob of so many bytes.
func FindTOC(size int64, tail []byte) (TOC, bool) {
	if t, found := findStargz(size, tail); found {
		return t, true
	}
	return findChunked(size, tail)
}

// findStargz reads the last member of eStargz, which is empty and has the offset in
// its header's extra field.
func findStargz(size int64, tail []byte) (TOC, bool) {
	if len(tail) < stargzFooter {
		return TOC{}, false
	}
	footer := tail[len(tail)-stargzFooter:]
	z, err := gzip.NewReader(bytes.NewReader(footer))
	if err != nil {
		return TOC{}, false
	}
	extra := z.Extra
	if len(extra) != 26 || string(extra[:4]) != "SG\x16\x00" || string(extra[20:]) != "STARGZ" {
		return TOC{}, false
	}
	offset, err := strconv.ParseInt(string(extra[4:20]), 16, 64)
	return TOC{Offset: offset, Length: size - offset, format: gzipped}.within(size, err == nil)
}

// findChunked reads the last frame of zstd:chunked.
func findChunked(size int64, tail []byte) (TOC, bool) {
	if len(tail) < 8+chunkedFooter {
		return TOC{}, false
	}
	frame := tail[len(tail)-8-chunkedFooter:]
	footer := frame[8:]
	magic := string(footer[chunkedFooter-8:])
	if !isSkippable(frame) || binary.LittleEndian.Uint32(frame[4:]) != chunkedFooter || (magic != "GNUlInUx" && magic != "GnUlInUx") {
		return TOC{}, false
	}
	offset, length := binary.LittleEndian.Uint64(footer), binary.LittleEndian.Uint64(footer[8:])
	if offset > math.MaxInt64 || length > math.MaxInt64 {
		return TOC{}, false
	}
	return TOC{Offset: int64(offset), Length: int64(length), format: zstandard}.within(size, true)
}

func (t TOC) within(size int64, found bool) (TOC, bool) {
	if !found || t.Offset <= 0 || t.Length <= 0 || t.Length > MaxTOC || t.Offset > size-t.Length {
		return TOC{}, false
	}
	return t, true
}

var errNoTOC = errors.New("the layer's table of contents can't be read")

// MeasureTOC returns what the files take that a table of contents lists. Whoever
// unpacks the layer does not look at that table, so that one which lists less than
// the blob must hold, or more than it can, is not believed.
func MeasureTOC(size int64, t TOC, body []byte) (imagesize.Unpacked, error) {
	in, err := open(t.format, body, true)
	if err != nil {
		return imagesize.Unpacked{}, err
	}
	defer in.close()
	c := newCounter()
	var archive int64
	table := io.Reader(in)
	if t.format == gzipped {
		index := tar.NewReader(in)
		h, err := index.Next()
		if err != nil || h.Name != stargzIndex {
			return imagesize.Unpacked{}, errors.Join(errNoTOC, err)
		}
		table = index
		c.add(h.Name, h.Typeflag, h.Size, "")
		archive = records(h.Size)
	}
	listed, err := c.addTable(table)
	if err != nil {
		return imagesize.Unpacked{}, errors.Join(errNoTOC, err)
	}
	archive = estimate.SaturatingAdd(archive, listed)
	least, most := t.Offset-t.Offset/10, maxOf(size, maxDeflate)
	if t.format == zstandard {
		most = maxOf(size, maxZstd)
	}
	if archive < least || archive > most {
		return imagesize.Unpacked{}, errNotTrue
	}
	return imagesize.Unpacked{DiskBytes: c.disk(), Inodes: max(c.inodes, 0)}, nil
}

// tocEntry is what both formats say of a file.
type tocEntry struct {
	Name     string `json:"name"`
	Type     string `json:"type"`
	Size     int64  `json:"size"`
	LinkName string `json:"linkName"`
}

// addTable counts the entries of a table of contents, and returns the bytes that
// they take in an archive.
func (c *counter) addTable(r io.Reader) (archive int64, err error) {
	values := &values{r: r}
	d := json.NewDecoder(values)
	if err := descend(d, values); err != nil {
		return 0, err
	}
	for values.next(); d.More(); values.next() {
		var e tocEntry
		if err := d.Decode(&e); err != nil {
			return 0, err
		}
		kind, known := map[string]byte{
			"reg": tar.TypeReg, "dir": tar.TypeDir, "symlink": tar.TypeSymlink, "hardlink": tar.TypeLink,
			"char": tar.TypeChar, "block": tar.TypeBlock, "fifo": tar.TypeFifo,
		}[e.Type]
		if !known {
			continue // A part of the file that was listed before.
		}
		if e.Size < 0 {
			return 0, fmt.Errorf("%q has a size below zero", e.Name)
		}
		c.add(e.Name, kind, e.Size, e.LinkName)
		archive = estimate.SaturatingAdd(archive, record)
		if kind == tar.TypeReg {
			archive = estimate.SaturatingAdd(archive, records(e.Size))
		}
	}
	_, err = d.Token() // The end of the list, or of what could be read.
	return archive, err
}

// descend goes to the first of a table's entries.
func descend(d *json.Decoder, values *values) error {
	values.next()
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return errors.Join(errNoTOC, err)
	}
	for values.next(); d.More(); values.next() {
		key, err := d.Token()
		if err != nil {
			return err
		}
		if name, ok := key.(string); ok && strings.EqualFold(name, "entries") {
			if t, err := d.Token(); err != nil || t != json.Delim('[') {
				return errors.Join(errNoTOC, err)
			}
			return nil
		}
		var skipped json.RawMessage
		if err := d.Decode(&skipped); err != nil {
			return err
		}
	}
	return errNoTOC
}

// maxValue is more than an entry comes to with all that a file may have: a path, and 64 KiB
// of attributes.
const maxValue = 1 << 20

// values is a text that a JSON decoder reads value by value. The decoder keeps each as a whole,
// so that one value of all that a table may unpack to would be several times that in memory.
type values struct {
	r    io.Reader
	left int // of the value that is read now
}

// next says that the next value may begin.
func (v *values) next() { v.left = maxValue }

func (v *values) Read(b []byte) (int, error) {
	if v.left <= 0 {
		return 0, fmt.Errorf("a value of more than %d bytes: %w", maxValue, errNoTOC)
	}
	n, err := v.r.Read(b[:min(len(b), v.left)])
	v.left -= n
	return n, err
}
