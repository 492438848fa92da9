// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package imagesize

import (
	"strings"

	"github.com/headroom-dev/headroom/estimate"
)

// Runtime is a container runtime family: what decides the meaning of the
// sizes in node.status.images, and what a pull leaves on the disk.
type Runtime string

// The runtime families whose size unit is known.
const (
	Containerd Runtime = "containerd"
	CRIO       Runtime = "cri-o"
	Docker     Runtime = "docker"
	// OtherRuntime is any other: its sizes have no known unit.
	OtherRuntime Runtime = ""
)

// RuntimeOf returns the family of a node's status.nodeInfo.containerRuntimeVersion,
// such as "containerd://2.4.2", and OtherRuntime for what is not known.
func RuntimeOf(containerRuntimeVersion string) Runtime {
	name, _, found := strings.Cut(containerRuntimeVersion, "://")
	if !found {
		return OtherRuntime
	}
	switch r := Runtime(name); r {
	case Containerd, CRIO, Docker:
		return r
	default:
		return OtherRuntime
	}
}

// ReportedFactor returns how many bytes an image that shares nothing takes on
// disk for each byte the runtime reports in node.status.images.
func ReportedFactor(rt Runtime) estimate.Factor {
	switch rt {
	case Containerd:
		return containerdFactor()
	case CRIO, Docker:
		return unpackedFactor()
	case OtherRuntime:
		return otherFactor()
	default:
		return otherFactor()
	}
}

// CompressedFactor returns how many bytes the runtime will report for each
// compressed byte that a registry's manifest declares.
func CompressedFactor(rt Runtime) estimate.Factor {
	switch rt {
	case Containerd, OtherRuntime:
		// containerd reports the very sum of the manifest's descriptors
		// (core/images/usage.CalculateImageUsage). For an unknown runtime the
		// doubt is all in otherFactor.
		return estimate.Factor{Low: 1, Likely: 1, High: 1}
	case CRIO:
		return unpackFactor()
	case Docker:
		// With its containerd image store docker reports compressed and unpacked
		// bytes together (moby daemon/containerd/image_list.go), one more.
		f := unpackFactor()
		f.High++
		return f
	default:
		return estimate.Factor{Low: 1, Likely: 1, High: 1}
	}
}

// KeptFactor returns the share of a layer's compressed bytes that stays on the image
// disk once the layer is unpacked.
func KeptFactor(rt Runtime) estimate.Factor {
	switch rt {
	case CRIO:
		// The blob is staged in a temporary folder and removed
		// (containers/image storage/storage_dest.go).
		return estimate.Factor{}
	case Docker:
		// The graph drivers keep unpacked layers only, the containerd image store
		// both forms (moby daemon/containerd).
		return estimate.Factor{High: 1}
	case Containerd, OtherRuntime:
		// containerd keeps both unless discard_unpacked_layers is set (default false
		// in its internal/cri/config/config_unix.go; true on EKS images,
		// awslabs/amazon-eks-ami#1360). Nothing in the API says which.
		return estimate.Factor{Low: 0, Likely: 1, High: 1}
	default:
		return estimate.Factor{Low: 0, Likely: 1, High: 1}
	}
}

// stagesOnImageDisk reports whether compressed layers surely lie on the image disk
// until the whole image is unpacked. containerd's lease holds all blobs of a pull
// until it returns (core/unpack/unpacker.go, client/lease.go). CRI-O stages them in
// a folder of its own, which may be elsewhere; docker one layer at a time.
func (rt Runtime) stagesOnImageDisk() bool { return rt == Containerd }

// containerdFactor: containerd reports compressed bytes and keeps, by default,
// both the compressed blobs (1) and the unpacked snapshots (1 to 3.5). With
// discard_unpacked_layers, the default of EKS images, only the snapshots stay.
// Nothing in the API says which, so this spans both. Measured: 3.0 for a mix of
// images; 2.65 unpacked for nginx; 3.3 for the images an EKS node caches
// (awslabs/amazon-eks-ami#1144). An image of zeros is far outside: 131.
func containerdFactor() estimate.Factor { return estimate.Factor{Low: 1, Likely: 3, High: 4.5} }

// unpackedFactor: CRI-O (containers/image storage_src.go getSize) and docker
// report unpacked bytes, which the disk holds with some overhead of the file
// system, or somewhat less where files are sparse or tiny sums are metadata. The
// low bound leaves room for layers that are shared, as containerd's does.
func unpackedFactor() estimate.Factor { return estimate.Factor{Low: 0.36, Likely: 1, High: 1.2} }

// otherFactor: the unit is not known, so it spans the units of all families.
func otherFactor() estimate.Factor { return estimate.Factor{Low: 0.36, Likely: 2, High: 4.5} }

// unpackFactor is unpacked bytes per compressed byte: 1 for weights and other
// data that does not compress, 1.9 to 3.3 in the published measurements of
// ordinary images.
func unpackFactor() estimate.Factor { return estimate.Factor{Low: 1, Likely: 2.5, High: 3.5} }
