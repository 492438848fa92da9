// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package layer

import (
	"encoding/binary"
	"math"

	"github.com/klauspost/compress/zstd"

	"github.com/headroom-dev/headroom/estimate"
)

const (
	// Deflate makes at most 1032 bytes of one; zstd 128 KiB of a block of four.
	maxDeflate, maxZstd = 1032, 32 << 10
	// consistent is how far the rest of a layer may compress otherwise than its
	// beginning before one of them is doubted.
	consistent = 3
	// usualExpansion is what layers compress by as a rule, and beginningBytes how many
	// bytes of a beginning weigh as much as that.
	usualExpansion = 2.5
	beginningBytes = 128 << 10
	// gzipWrap is what the size at the end of gzip is modulo of.
	gzipWrap = 1 << 32
)

// beginning is what reading the first bytes of a blob has taught about the whole.
type beginning struct {
	size     int64 // of the blob
	decoded  int64 // bytes of the archive
	consumed int64 // bytes of the blob that they came from
	tarBytes int64 // that the archive has at least
	many     bool  // the blob has several compressed streams one after the other
}

// floor is the least that the archive can be: what was read, and the rest if it does
// not compress at all. A part of the rest may be no content: a table at the end.
func (b beginning) floor() int64 {
	rest := max(b.size-b.consumed, 0)
	return max(b.tarBytes, estimate.SaturatingAdd(b.decoded, rest-rest/10))
}

// sampled is the size of the archive by how well its beginning compresses. Of the file
// that it breaks off in, the size is known, and about how much of the blob that takes.
func (b beginning) sampled() estimate.Bytes {
	rest := float64(max(b.size-b.consumed, 0))
	ratio := max(1, float64(b.decoded)/float64(max(b.consumed, 1)))
	known := max(b.decoded, b.tarBytes)
	open := float64(known - b.decoded)
	// Where the beginning is as good as empty, what follows hardly is as well, and the
	// same goes for what does not compress at all.
	usualRatio := (min(ratio, 8)*float64(b.consumed) + usualExpansion*beginningBytes) / (float64(b.consumed) + beginningBytes)
	low := b.floor()
	likely := saturate(float64(known) + max(rest-open/ratio, 0)*usualRatio)
	high := saturate(float64(known) + max(rest-open/(2*ratio), 0)*max(3.5, 2*ratio))
	return estimate.Between(low, max(low, likely), max(low, likely, high))
}

// expected is sampled's likely value without a cap: what a declared size is held against.
func (b beginning) expected() float64 {
	ratio := float64(max(b.decoded, 1)) / float64(max(b.consumed, 1))
	return max(float64(b.tarBytes), float64(b.decoded)+float64(max(b.size-b.consumed, 0))*ratio)
}

// near says that a size is about what the beginning makes expect.
func (b beginning) near(n int64) bool {
	return float64(n) <= consistent*b.expected() && float64(n) >= b.expected()/consistent
}

// gzipTotal is the size of the archive in a gzip blob, from its last four bytes: the
// size of the last member modulo 4 GiB. Each size that is possible is kept, unless
// the beginning speaks against it.
func gzipTotal(b beginning, tail []byte) estimate.Bytes {
	if len(tail) < 4 || b.many {
		return b.sampled()
	}
	declared := int64(binary.LittleEndian.Uint32(tail[len(tail)-4:]))
	first, likely, last, possible := b.wrapped(declared)
	switch {
	case !possible:
		return b.sampled() // Several members, or a lie.
	case b.near(likely):
		// Should it be the size of the last of several members, it is still a part of the whole.
		return estimate.Between(first, likely, max(last, saturate(b.expected())))
	case likely == declared:
		// The rest is unlike the beginning, or the size is a lie.
		return estimate.Between(b.floor(), likely, max(likely, b.sampled().High))
	default:
		return b.sampled()
	}
}

// wrapped returns the sizes that are declared modulo 4 GiB and possible: the smallest,
// the one nearest to what is expected, and the largest that is not far from it.
func (b beginning) wrapped(declared int64) (first, likely, last int64, possible bool) {
	most := min(maxOf(b.size, maxDeflate), saturate(max(consistent*b.expected(), float64(declared))), math.MaxInt64-gzipWrap)
	first = declared
	if least := b.floor(); first < least {
		if least > most {
			return 0, 0, 0, false
		}
		first += (least - first + gzipWrap - 1) / gzipWrap * gzipWrap
	}
	if first > most {
		return 0, 0, 0, false
	}
	last = first + (most-first)/gzipWrap*gzipWrap
	below := min(max(saturate(b.expected()), first), last)
	below = first + (below-first)/gzipWrap*gzipWrap
	likely = below
	if above := below + gzipWrap; above <= last && b.distance(above) < b.distance(below) {
		likely = above
	}
	return first, likely, last, true
}

// distance says how many times, as a logarithm, a size is larger or smaller than expected.
func (b beginning) distance(n int64) float64 {
	return math.Abs(math.Log(float64(max(n, 1)) / max(b.expected(), 1)))
}

// zstdTotal is the size of the archive in a zstd blob, from the header of its first
// frame, which most writers leave without a size. There may be more frames.
func zstdTotal(b beginning, head []byte) estimate.Bytes {
	var h zstd.Header
	if err := h.Decode(head); err != nil || !h.HasFCS || h.Skippable || b.many || h.FrameContentSize > math.MaxInt64 {
		return b.sampled()
	}
	declared := int64(h.FrameContentSize)
	switch {
	case declared <= b.decoded || declared < b.floor() || declared > maxOf(b.size, maxZstd):
		return b.sampled() // Several frames, or a lie.
	case b.near(declared):
		return estimate.Between(declared, declared, max(declared, b.sampled().High))
	default:
		return b.sampled().Hull(estimate.Exactly(declared))
	}
}

// maxOf is the most that a blob can become.
func maxOf(size, ratio int64) int64 {
	if size > (math.MaxInt64-1<<20)/ratio {
		return math.MaxInt64
	}
	return size*ratio + 1<<20
}

func saturate(f float64) int64 {
	if f >= math.MaxInt64 {
		return math.MaxInt64
	}
	return int64(f)
}
