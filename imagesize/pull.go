// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package imagesize

import (
	"math"

	"github.com/headroom-dev/headroom/estimate"
)

// blockBytes is the block of a file system: ext4's and XFS's default.
const blockBytes = 4096

// Stored are distinct layers on a disk.
type Stored struct {
	// Unpacked is what their files take, BlobBytes their compressed form, in blocks.
	Unpacked  estimate.Bytes
	BlobBytes int64
	// SnapshotBlobBytes is the compressed form of what is in Unpacked, be it there or not.
	SnapshotBlobBytes int64
	// Inodes is the likely number of their files and folders.
	Inodes int64
	// Layers and Images count what they are of: each has a little of its own.
	Layers, Images int
}

// Plus adds what shares nothing with s.
func (s Stored) Plus(o Stored) Stored {
	return Stored{
		Unpacked:  s.Unpacked.Plus(o.Unpacked),
		BlobBytes: estimate.SaturatingAdd(s.BlobBytes, o.BlobBytes),

		SnapshotBlobBytes: estimate.SaturatingAdd(s.SnapshotBlobBytes, o.SnapshotBlobBytes),
		Inodes:            estimate.SaturatingAdd(s.Inodes, o.Inodes),
		Layers:            s.Layers + o.Layers, Images: s.Images + o.Images,
	}
}

// OnDisk returns what the layers take on the disk of a node of that runtime. A declared
// factor is for both forms of a layer together: where only one of them is among these,
// it is anything up to that.
func (s Stored) OnDisk(rt Runtime, declared *estimate.Factor, learned Learned) estimate.Bytes {
	blobs := estimate.Exactly(s.BlobBytes)
	if declared != nil && declared.Valid() {
		either := estimate.Between(min(s.BlobBytes, s.SnapshotBlobBytes), s.BlobBytes, max(s.BlobBytes, s.SnapshotBlobBytes))
		return either.Times(CompressedFactor(rt)).Times(*declared)
	}
	return s.Unpacked.Plus(blobs.Times(kept(rt, learned))).Plus(own(s.Layers, s.Images))
}

// kept is the share of compressed bytes that stays.
func kept(rt Runtime, learned Learned) estimate.Factor {
	if learned.Kept != nil && learned.Kept.Valid() && learned.Kept.High <= 1 {
		return *learned.Kept
	}
	return KeptFactor(rt)
}

// own is what the runtime adds for each layer and image: the folders of a snapshot, and
// records in its database, which grows by leaps. Measured with containerd 2.4 on ext4:
// 26 to 33 KB for a layer, about 25 KB for an image.
func own(layers, images int) estimate.Bytes {
	const kib = 1 << 10
	perLayer := estimate.Between(8*kib, 27*kib, 64*kib)
	perImage := estimate.Between(0, 25*kib, 1536*kib)
	times := func(b estimate.Bytes, n int) estimate.Bytes {
		f := float64(max(n, 0))
		return b.Times(estimate.Factor{Low: f, Likely: f, High: f})
	}
	return times(perLayer, layers).Plus(times(perImage, images))
}

// inBlocks rounds up to whole blocks.
func inBlocks(bytes int64) int64 {
	if bytes > math.MaxInt64-blockBytes {
		return math.MaxInt64
	}
	return (max(bytes, 0) + blockBytes - 1) / blockBytes * blockBytes
}

// Stored is the layer alone on a disk: its snapshot, its blob, or both.
func (l *Layer) Stored(snapshot, blob bool) Stored {
	var s Stored
	if snapshot {
		s = Stored{Unpacked: l.Unpacked.DiskBytes, Inodes: l.Unpacked.Inodes, Layers: 1}
		if l.Unpacked.IsZero() {
			s.Unpacked = estimate.Exactly(max(l.CompressedBytes, 0)).Times(unreadFactor())
		}
		s.SnapshotBlobBytes = inBlocks(l.CompressedBytes)
	}
	if blob {
		s.BlobBytes = inBlocks(l.CompressedBytes)
	}
	return s
}

// Documents are what an image has besides its layers.
func Documents(m *Manifest) Stored {
	documents := inBlocks(m.DocumentBytes)
	return Stored{BlobBytes: documents, SnapshotBlobBytes: documents, Images: 1}
}

// unreadFactor is disk bytes per compressed byte of a layer that nobody could read.
func unreadFactor() estimate.Factor { return estimate.Factor{Low: 0.9, Likely: 2.5, High: 6} }

// Missing returns the layers that have to be made: snapshots above the chain that is
// there, and the blobs of those that are not there. containerd fetches nothing for a
// layer whose snapshot exists (core/unpack/unpacker.go), and a blob that an image
// names twice once.
func (m *Manifest) Missing(there Shared) Stored { return newSums(m, OtherRuntime).missing(there) }

// pull is Evidence.Pull for an image whose layers are known.
func (s *sums) pull(declared *estimate.Factor, learned Learned, there There) Size {
	rt := s.runtime
	least, likely := s.missingAtLeast(there), s.missing(there.Likely)
	most := likely
	if there.Sure != there.Likely {
		most = s.missing(there.Sure)
	}
	onDisk := func(s Stored) estimate.Bytes { return s.OnDisk(rt, declared, learned) }
	disk := estimate.Between(onDisk(least).Low, onDisk(likely).Likely, onDisk(most).High)
	size := Size{Disk: disk, Peak: disk, Inodes: likely.Inodes, Source: SourceLayers}
	if declared == nil {
		all := Learned{Kept: &estimate.Factor{Low: 0, Likely: 0, High: 1}}
		if rt.stagesOnImageDisk() {
			all.Kept = &estimate.Factor{Low: 1, Likely: 1, High: 1}
		}
		whole := func(s Stored) estimate.Bytes { return s.OnDisk(rt, nil, all) }
		size.Peak = estimate.Between(max(whole(least).Low, disk.Low), max(whole(likely).Likely, disk.Likely), max(whole(most).High, disk.High))
	}
	return size
}

// The same files may be a third smaller in another image, compressed another way, such
// as zstd in place of gzip: their snapshots are the same.
const recompressedNumerator, recompressedDenominator = 2, 3

// reportedAtLeast is the least that an image reports for a layer, in whatever form it
// has it.
func (l *Layer) reportedAtLeast(rt Runtime) int64 {
	switch {
	case rt == Containerd:
		return max(l.CompressedBytes, 0) / recompressedDenominator * recompressedNumerator
	case rt == OtherRuntime || l.Unpacked.IsZero():
		return 0
	default:
		// A file counts with its own bytes, not with its blocks.
		blocks := estimate.Exactly(max(l.Unpacked.Inodes, 1)).Times(estimate.Factor{Low: blockBytes, Likely: blockBytes, High: blockBytes})
		return max(estimate.SaturatingSub(l.Unpacked.DiskBytes.Low, blocks.Likely), 0)
	}
}
