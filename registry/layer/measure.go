// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package layer

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/headroom-dev/headroom/estimate"
	"github.com/headroom-dev/headroom/imagesize"
)

// What has to be read of a blob.
const (
	// WholeBelow is the size up to which a blob is read whole.
	WholeBelow = 1 << 20
	// HeadBytes is how much is read of the beginning of a larger one: more than one block
	// of zstd, which has 128 KiB.
	HeadBytes = 160 << 10
	// TailBytes is how much is read of its end.
	TailBytes = 1 << 10
)

// Blob is what was read of a layer's blob.
type Blob struct {
	Size int64  // of the whole blob, at least that of Head
	Head []byte // its first bytes
	Tail []byte // its last ones, nil if they were not read or are part of Head
}

// whole says that the head is all there is.
func (b Blob) whole() bool { return int64(len(b.Head)) >= b.Size }

var (
	errNoArchive = errors.New("the layer is not an archive that can be read")
	errNotTrue   = errors.New("the layer declares what can't be true")
)

// usual is how many bytes of a sample weigh as much as what is known without one: that
// most layers take about as much on a disk as in an archive.
const (
	usual     = 512 << 10
	usualFile = 16 << 10 // bytes of an archive for each file
)

// Measure returns what the files of a layer take on a disk. It fails if the bytes
// say nothing about that, or contradict themselves.
func Measure(b Blob) (imagesize.Unpacked, error) {
	f := formatOf(b.Head)
	in, err := open(f, b.Head, b.whole())
	if err != nil {
		return imagesize.Unpacked{}, err
	}
	defer in.close()
	s, err := countTar(in)
	if err != nil || (s.inodes == 0 && !s.complete) {
		return imagesize.Unpacked{}, fmt.Errorf("%w: %w", errNoArchive, cmp.Or(err, errFormat))
	}
	if s.complete {
		return imagesize.Unpacked{DiskBytes: s.disk(), Inodes: max(s.inodes, 0)}, nil
	}
	begun := beginning{size: b.Size, decoded: in.decoded, consumed: max(in.consumed, 1), tarBytes: s.tarBytes, many: in.members > 1}
	most, total := b.Size, estimate.Exactly(b.Size)
	switch f {
	case gzipped:
		most, total = maxOf(b.Size, maxDeflate), gzipTotal(begun, b.Tail)
	case zstandard:
		most, total = maxOf(b.Size, maxZstd), zstdTotal(begun, b.Head)
	default: // An archive that is not compressed has the size of its blob.
	}
	if s.tarBytes > most {
		return imagesize.Unpacked{}, errNotTrue
	}
	return s.extrapolate(total), nil
}

// extrapolate goes from a part of an archive to the whole, whose size is total.
func (s *sample) extrapolate(total estimate.Bytes) imagesize.Unpacked {
	counted := s.disk()
	rest := estimate.Bytes{
		Low:    max(total.Low-s.tarBytes-padding, 0),
		Likely: max(total.Likely-s.tarBytes-trailer, 0),
		High:   max(total.High-s.tarBytes-trailer, 0),
	}
	if rest.Likely < padding {
		rest.Likely = 0 // Nothing but the end of the archive.
	}
	if rest.High < padding {
		rest.High = 0
	}
	ratio := float64(counted.Likely) / float64(max(s.tarBytes, 1))
	// A small sample of small files says little of large ones that follow.
	likelyRatio := float64(counted.Likely+usual) / float64(s.tarBytes+usual)
	lowRatio := float64(counted.Low) / float64(max(s.tarBytes, 1))
	more := estimate.Between(
		saturate(0.8*float64(rest.Low)*min(1, lowRatio)),
		saturate(float64(rest.Likely)*likelyRatio),
		saturate(1.5*float64(rest.High)*max(1, ratio)),
	)
	inodes := float64(s.inodes) + float64(rest.Likely)*float64(s.inodes+usual/usualFile)/float64(s.tarBytes+usual)
	return imagesize.Unpacked{DiskBytes: counted.Plus(more), Inodes: max(saturate(inodes), 0)}
}
