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
// A pod may be refused for a low bound, so what the bound assumes matters. It is
// the size of the whole image on a disk that has none of its layers. By the default
// factors, it is a third of the likely size for containerd (compressed bytes, where
// the disk most often holds them and the unpacked ones besides) and nine tenths for
// CRI-O and docker. So on containerd with its defaults, an image can share nearly two
// thirds of its bytes with images that are on the node before its low bound is too
// high, with discarded blobs about half, and with CRI-O and docker a tenth. Past that,
// as for a new version of an image that is there, which shares nearly all, it is.
// Too high it is also where an image is not pulled as a whole (lazy snapshotters,
// image streaming), where the file system compresses or deduplicates, and for a tag
// that has moved to a smaller image of which no registry was asked. A policy that
// declares a diskFactor with low: 0 for such a pool refuses nothing for it.
package imagesize

import (
	"github.com/headroom-dev/headroom/estimate"
)

// Runtime is a container runtime family: what decides the meaning of the
// sizes in node.status.images.
type Runtime string

// The runtime families whose size unit is known.
const (
	Containerd Runtime = "containerd"
	CRIO       Runtime = "cri-o"
	Docker     Runtime = "docker"
	// OtherRuntime is any other: its sizes have no known unit.
	OtherRuntime Runtime = ""
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
	SourceEvent    Source = "event"    // a kubelet's event said so: below the cap of its node's list
	SourceRegistry Source = "registry" // the registry's manifest: compressed bytes only
	SourceOperator Source = "operator" // the policy's table
	SourceAssumed  Source = "assumed"  // the policy's unknownImage
	SourceUnknown  Source = "unknown"  // nobody knows: [0, 0, unbounded]
)

// Evidence is all that is known about one image's size for nodes of one
// runtime family and platform.
type Evidence struct {
	// Reported are the sizes nodes of that runtime family and platform report
	// now, in the runtime's unit. Zero when no node has it. They differ where
	// a tag moved: Low and High are the extremes, Likely the most common.
	Reported estimate.Bytes
	// Manifest is the registry's answer, nil when there is none (yet).
	Manifest *Manifest
	// OperatorBytes is the unpacked size the policy's table declares, 0 for none.
	OperatorBytes int64
	// Assumed is the policy's unknownImage, nil for none. Its Low is 0.
	Assumed *estimate.Bytes
}

// Size is what pulling an image adds to a disk that has none of it.
type Size struct {
	Disk   estimate.Bytes
	Source Source
}

// Known says whether anybody told a size. An assumed one is not known.
func (s Size) Known() bool {
	return s.Source != SourceUnknown && s.Source != SourceAssumed && s.Source != ""
}
