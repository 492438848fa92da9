// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package layer

import (
	"archive/tar"
	"errors"
	"io"
	"maps"
	"strings"

	"github.com/headroom-dev/headroom/estimate"
)

const (
	record = 512
	// trailer is what ends an archive at least; tar fills it up to padding.
	trailer, padding = 2 * record, 20 * record
)

// errCut ends a stream of which there is more than was read.
var errCut = errors.New("the rest was not read")

// sample is what was counted of the beginning of an archive.
type sample struct {
	counter
	// tarBytes is where the last entry that was counted ends, which may be after the
	// end of what was read. Of a sparse file it is where its content starts.
	tarBytes int64
	// complete says that the end of the archive was seen: there are no other entries.
	complete bool
}

// countTar counts the entries of an archive. It ends without an error at the end of
// the archive, or at errCut, where the sample is a part.
func countTar(r io.Reader) (sample, error) {
	s := sample{counter: newCounter()}
	at := &position{r: r}
	archive := tar.NewReader(at)
	for {
		h, err := archive.Next()
		switch {
		case errors.Is(err, io.EOF):
			s.complete = true
			return s, nil
		case at.cut:
			return s, nil
		case err != nil:
			return s, err
		}
		s.add(h.Name, h.Typeflag, h.Size, h.Linkname)
		s.tarBytes = at.n
		if isSparse(h) {
			s.sparse = estimate.SaturatingAdd(s.sparse, blocks(h.Size))
		} else if hasContent(h.Typeflag) {
			s.tarBytes = estimate.SaturatingAdd(at.n, records(h.Size))
		}
	}
}

// hasContent says that the header is followed by as many bytes as it declares.
func hasContent(kind byte) bool {
	switch kind {
	case tar.TypeLink, tar.TypeSymlink, tar.TypeChar, tar.TypeBlock, tar.TypeDir, tar.TypeFifo:
		return false
	default:
		return true
	}
}

// isSparse says that the archive has less of the file than its size.
func isSparse(h *tar.Header) bool {
	if h.Typeflag == tar.TypeGNUSparse {
		return true
	}
	for key := range maps.Keys(h.PAXRecords) {
		if strings.HasPrefix(key, "GNU.sparse.") {
			return true
		}
	}
	return false
}

// records rounds a size up to whole records of an archive.
func records(size int64) int64 {
	if size <= 0 {
		return 0
	}
	return estimate.SaturatingAdd(size, record-1) &^ (record - 1)
}

// position counts what was read, and remembers whether it ended early.
type position struct {
	r   io.Reader
	n   int64
	cut bool
}

func (p *position) Read(b []byte) (int, error) {
	n, err := p.r.Read(b)
	p.n += int64(n)
	if errors.Is(err, errCut) {
		p.cut = true
	}
	return n, err
}
