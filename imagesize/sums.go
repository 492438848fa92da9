// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package imagesize

import "github.com/headroom-dev/headroom/estimate"

// sums are what is added up over an image's layers again and again, worked out once: an image is looked at on thousands of
// nodes, each of which has something else of it.
type sums struct {
	runtime Runtime
	// above is, by place, what the snapshots of that layer and those above it are, with the image's documents. It has one
	// more than there are layers.
	above []Stored
	// blobs are the layers' compressed forms.
	blobs []blob
	// reported is, by place, the least that an image reports for the layers up to there.
	reported []int64
}

type blob struct {
	// compressedBytes are as the manifest says, bytes in blocks.
	compressedBytes, bytes int64
	// again is the place of the next lower layer with the same blob, -1 for none.
	again int
}

func newSums(m *Manifest, rt Runtime) *sums {
	n := len(m.Layers)
	s := &sums{runtime: rt, above: make([]Stored, n+1), blobs: make([]blob, n), reported: make([]int64, n)}
	places, reported := make(map[string]int, n), int64(0)
	for i := range m.Layers {
		l := &m.Layers[i]
		again, found := places[l.Digest]
		if !found {
			again = -1
		}
		places[l.Digest] = i
		s.blobs[i] = blob{l.CompressedBytes, inBlocks(l.CompressedBytes), again}
		reported = estimate.SaturatingAdd(reported, l.reportedAtLeast(rt))
		s.reported[i] = reported
	}
	s.above[n] = Documents(m)
	for i := n - 1; i >= 0; i-- {
		s.above[i] = s.above[i+1].Plus(m.Layers[i].Stored(true, false))
	}
	return s
}

// missing is Manifest.Missing.
func (s *sums) missing(there Shared) Stored {
	chain := min(there.Chain, len(s.blobs))
	missing := s.above[chain]
	for i := chain; i < len(s.blobs); i++ {
		if b := &s.blobs[i]; !there.Blobs.Has(i) && b.again < chain {
			missing.BlobBytes = estimate.SaturatingAdd(missing.BlobBytes, b.bytes)
		}
	}
	return missing
}

// missingAtLeast is missing where images hide that have as much of the image as fits
// into them: all layers from the bottom up to a snapshot, and any blob.
func (s *sums) missingAtLeast(there There) Stored {
	shared := there.Possible
	if there.HiddenBytes <= 0 {
		return s.missing(shared)
	}
	for shared.Chain < len(s.reported) && s.reported[shared.Chain] <= there.HiddenBytes {
		shared.Chain++
	}
	least, hidden := s.missing(shared), int64(0)
	for i := shared.Chain; i < len(s.blobs); i++ {
		if b := &s.blobs[i]; b.compressedBytes <= there.HiddenBytes && !shared.Blobs.Has(i) && b.again < shared.Chain {
			hidden = estimate.SaturatingAdd(hidden, b.bytes)
		}
	}
	least.BlobBytes = max(least.BlobBytes-min(hidden, there.HiddenTotalBytes), 0)
	return least // SnapshotBlobBytes stays: its snapshots are what is made.
}
