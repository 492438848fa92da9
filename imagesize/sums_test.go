// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package imagesize

import (
	"math"
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/headroom-dev/headroom/estimate"
)

// plainMissing is what sums.missing finds, added up layer by layer.
func plainMissing(m *Manifest, there Shared) Stored {
	var s Stored
	for i := min(there.Chain, len(m.Layers)); i < len(m.Layers); i++ {
		fetched := !there.Blobs.Has(i) && !plainNames(m, m.Layers[i].Digest, there.Chain, i)
		s = s.Plus(m.Layers[i].Stored(true, fetched))
	}
	return s.Plus(Documents(m))
}

func plainNames(m *Manifest, digest string, first, last int) bool {
	for i := first; i < last; i++ {
		if m.Layers[i].Digest == digest {
			return true
		}
	}
	return false
}

func plainMissingAtLeast(m *Manifest, rt Runtime, there There) Stored {
	shared, below := there.Possible, int64(0)
	if there.HiddenBytes <= 0 {
		return plainMissing(m, shared)
	}
	for i := range m.Layers {
		if below = estimate.SaturatingAdd(below, m.Layers[i].reportedAtLeast(rt)); below > there.HiddenBytes {
			break
		}
		shared.Chain = max(shared.Chain, i+1)
	}
	least, hidden := plainMissing(m, shared), int64(0)
	for i := shared.Chain; i < len(m.Layers); i++ {
		l := &m.Layers[i]
		if l.CompressedBytes <= there.HiddenBytes && !shared.Blobs.Has(i) && !plainNames(m, l.Digest, shared.Chain, i) {
			hidden = estimate.SaturatingAdd(hidden, inBlocks(l.CompressedBytes))
		}
	}
	least.BlobBytes = max(least.BlobBytes-min(hidden, there.HiddenTotalBytes), 0)
	return least
}

func TestSumsAreThoseLayerByLayer(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 7))
	for range 20_000 {
		m := &Manifest{DocumentBytes: random.Int64N(9999)}
		for range random.IntN(9) {
			l := Layer{Digest: strconv.Itoa(random.IntN(6)), ChainID: "x", CompressedBytes: random.Int64N(100_000)}
			switch random.IntN(9) {
			case 0:
				l.CompressedBytes = math.MaxInt64 - random.Int64N(9999)
			case 1:
			default:
				l.Unpacked = Unpacked{DiskBytes: estimate.Between(random.Int64N(9999), random.Int64N(99_999), random.Int64N(999_999)), Inodes: random.Int64N(9)}
			}
			m.Layers = append(m.Layers, l)
		}
		some := func() Shared {
			return Shared{Chain: random.IntN(10), Blobs: LayerSet{random.Uint64() & random.Uint64()}}
		}
		there := There{Possible: some(), HiddenBytes: random.Int64N(300_000) - 9999, HiddenTotalBytes: random.Int64N(900_000)}
		if random.IntN(4) == 0 {
			there.HiddenBytes, there.HiddenTotalBytes = math.MaxInt64, math.MaxInt64
		}
		for _, rt := range []Runtime{Containerd, CRIO, Docker, OtherRuntime} {
			s := newSums(m, rt)
			if got, want := s.missing(there.Possible), plainMissing(m, there.Possible); got != want {
				t.Fatalf("missing %+v, layer by layer %+v, of %+v with %+v", got, want, m, there)
			}
			if got, want := s.missingAtLeast(there), plainMissingAtLeast(m, rt, there); got != want {
				t.Fatalf("missing at least %+v, layer by layer %+v, of %+v with %+v", got, want, m, there)
			}
		}
	}
}
