// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

// Package imagesize says what an image takes on a node's disk, and how sure
// that is.
//
// Contract: everything here is a pure function of its arguments. Sizes are
// bytes. A reported size is in the unit of the runtime that reported it
// (containerd: compressed; CRI-O and docker: unpacked), so it is only ever
// used for nodes of the same runtime family and platform, and becomes disk
// bytes through a factor.
//
// # How low a low bound is
//
// A pod may be refused for a low bound, so what the bound assumes matters.
//
// Where an image's layers are known, the bound counts those that are not on the disk,
// as unpacked files at the least, and compressed ones only where the pool was seen to
// keep them. Images on that disk whose layers are not known may have any layer that is
// not larger than they are.
//
// Where its layers are not known, the bound is a third of the likely size: of
// containerd the compressed bytes, where the disk most often holds them and the
// unpacked ones besides; of CRI-O and docker as much. So an image may share two thirds
// of its bytes with images of other repositories before its bound is too high; where
// an image of its own repository is on the disk or on its way, it is 0.
//
// Too high it is also where an image is not pulled as a whole (lazy snapshotters,
// image streaming) until a disk that holds less than its images need gives it away,
// where the file system compresses or deduplicates, and for a tag that has moved to a
// smaller image of which no registry was asked. A policy that declares a diskFactor
// with low: 0 for such a pool refuses nothing for it.
package imagesize

import (
	"github.com/headroom-dev/headroom/estimate"
)

// Platform is what a manifest is chosen by.
type Platform struct {
	OS, Architecture string
}

// Source says where a size comes from, best first. It is a closed set and used
// in audit annotations and metrics.
type Source string

// The sources, best first.
const (
	SourceLayers   Source = "layers"   // its layers, read at the registry
	SourceNode     Source = "node"     // reported by a node of the same runtime family and platform
	SourceRegistry Source = "registry" // the registry's manifest: compressed bytes only
	SourceOperator Source = "operator" // the policy's table
	SourceEvent    Source = "event"    // a kubelet's event, of an image below the cap of its node's list
	SourceAssumed  Source = "assumed"  // the policy's unknownImage
	SourceUnknown  Source = "unknown"  // nobody knows: [0, 0, unbounded]
)

// Sources returns every source, best first. The caller owns the slice.
func Sources() []Source {
	return []Source{SourceLayers, SourceNode, SourceRegistry, SourceOperator, SourceEvent, SourceAssumed, SourceUnknown}
}

// Evidence is all that is known about one image's size for nodes of one
// runtime family, platform and pool.
type Evidence struct {
	// Reported are the sizes nodes of that runtime family and platform report
	// now, in the runtime's unit. Zero when no node has it. They differ where
	// a tag moved: Low and High are the extremes, Likely the most common.
	Reported estimate.Bytes
	// Pulled is what kubelets' events said of images that no node lists, in the
	// same unit; zero for none. Whoever may create events can say so.
	Pulled estimate.Bytes
	// Manifest is the registry's answer, nil when there is none (yet).
	Manifest *Manifest
	// OperatorBytes is the unpacked size the policy's table declares, 0 for none.
	OperatorBytes int64
	// Assumed is the policy's unknownImage, nil for none. Its Low is 0.
	Assumed *estimate.Bytes
	// Observed is what pulling it has taken of disks of that pool, whatever was
	// shared there; zero for nothing seen.
	Observed estimate.Bytes
	// Learned is what pulls have taught of the pool; the zero value is nothing.
	Learned Learned

	sums *sums // of Manifest, nil where they are not worked out
}

// Told says whether nodes, a registry or events tell anything of the image.
func (e Evidence) Told() bool { return e.Reported.High > 0 || e.Manifest != nil || e.Pulled.High > 0 }

// Size is what pulling an image adds to a disk, in bytes.
type Size struct {
	// Disk is what stays.
	Disk estimate.Bytes
	// Peak is the most that it takes at a time while it is pulled: what stays, and
	// what goes away once it is unpacked. Never less than Disk, bound by bound.
	Peak estimate.Bytes
	// Inodes is the likely number of files and folders; 0 where nobody knows.
	Inodes int64
	Source Source
	// Claimed says that a registry alone tells the size, or an event: no node reports
	// an image of that name and of about that size.
	Claimed bool
}

// Known says whether anybody told a size. An assumed one is not known.
func (s Size) Known() bool {
	return s.Source != SourceUnknown && s.Source != SourceAssumed && s.Source != ""
}
