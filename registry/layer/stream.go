// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package layer

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"io"

	"github.com/klauspost/compress/zstd"
)

const (
	// maxOutput bounds what is made of the compressed bytes of one layer.
	maxOutput = 64 << 20
	// maxWindow bounds what a zstd stream may make its reader remember.
	maxWindow = 32 << 20
)

type format int

const (
	unknownFormat format = iota
	plainTar
	gzipped
	zstandard
)

// formatOf goes by content alone, as runtimes do.
func formatOf(head []byte) format {
	switch {
	case len(head) >= 3 && head[0] == 0x1f && head[1] == 0x8b && head[2] == 8:
		return gzipped
	case len(head) >= 4 && (binary.LittleEndian.Uint32(head) == 0xfd2fb528 || isSkippable(head)):
		return zstandard
	case len(head) >= record && string(head[257:262]) == "ustar":
		return plainTar
	default:
		return unknownFormat
	}
}

// isSkippable recognises a frame of zstd without content.
func isSkippable(head []byte) bool {
	return binary.LittleEndian.Uint32(head)&^0xf == 0x184d2a50
}

// stream is the archive inside the first bytes of a blob. Its end is errCut, unless
// those bytes are the whole blob.
type stream struct {
	r        io.Reader
	close    func()
	in       *bytes.Reader
	whole    bool
	decoded  int64
	consumed int64 // compressed bytes that what was decoded came from
	members  int   // of gzip, that were begun
}

func open(f format, head []byte, whole bool) (*stream, error) {
	s := &stream{in: bytes.NewReader(head), whole: whole, close: func() {}}
	switch f {
	case plainTar:
		s.r = s.in
	case gzipped:
		z, err := gzip.NewReader(s.in)
		if err != nil {
			return nil, err
		}
		z.Multistream(false)
		s.members = 1
		s.r = &members{Reader: z, s: s}
	case zstandard:
		z, err := zstd.NewReader(s.in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return nil, err
		}
		s.r, s.close = z, z.Close
	default:
		return nil, errFormat
	}
	return s, nil
}

var errFormat = errors.New("neither an archive nor compressed in a known way")

func (s *stream) Read(b []byte) (int, error) {
	if s.decoded >= maxOutput {
		return 0, errCut
	}
	n, err := s.r.Read(b[:min(int64(len(b)), maxOutput-s.decoded)])
	s.decoded += int64(n)
	s.consumed = s.in.Size() - int64(s.in.Len())
	if !s.whole && (errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)) {
		err = errCut
	}
	return n, err
}

// members reads one member of gzip after the other and counts them.
type members struct {
	*gzip.Reader
	s *stream
}

func (m *members) Read(b []byte) (int, error) {
	for {
		n, err := m.Reader.Read(b)
		if !errors.Is(err, io.EOF) || n > 0 {
			if n > 0 && errors.Is(err, io.EOF) {
				err = nil
			}
			return n, err
		}
		if err := m.Reset(m.s.in); err != nil {
			return 0, err
		}
		m.Multistream(false)
		m.s.members++
	}
}
