// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package imagesize

import (
	"strings"

	"github.com/headroom-dev/headroom/estimate"
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

// OnDisk returns what the image takes on the disk of a node of that runtime, from
// the best source there is: seen on a node, the registry, the operator's table,
// the policy's assumption. declared is the policy's factor for the node's pool,
// in bytes on disk per reported byte; nil, or one that is not valid, stands for
// [ReportedFactor].
func (e Evidence) OnDisk(rt Runtime, declared *estimate.Factor) Size {
	factor := ReportedFactor(rt)
	if declared != nil && declared.Valid() {
		factor = *declared
	}
	switch {
	case e.Reported.High > 0:
		return Size{Disk: e.sinceMoved(rt).Times(factor), Source: SourceNode}
	case e.Manifest != nil && e.Manifest.CompressedBytes > 0:
		reported := estimate.Exactly(e.Manifest.CompressedBytes).Times(CompressedFactor(rt))
		return Size{Disk: reported.Times(factor), Source: SourceRegistry}
	case e.OperatorBytes > 0:
		// The table holds unpacked bytes on disk. Who keeps the compressed blobs
		// besides knows that, and declares it.
		return Size{Disk: estimate.Exactly(e.OperatorBytes), Source: SourceOperator}
	case e.Assumed != nil:
		assumed := e.Assumed.AtLeastZero()
		assumed.Low = 0
		return Size{Disk: assumed, Source: SourceAssumed}
	default:
		return Size{Disk: estimate.Unbounded(0, 0), Source: SourceUnknown}
	}
}

// sinceMoved returns what nodes report, or will once they have pulled again: a tag
// for which the registry tells a size that is out of their range has moved.
func (e Evidence) sinceMoved(rt Runtime) estimate.Bytes {
	reported := e.Reported.AtLeastZero()
	if e.Manifest == nil || e.Manifest.CompressedBytes <= 0 {
		return reported
	}
	next := estimate.Exactly(e.Manifest.CompressedBytes).Times(CompressedFactor(rt))
	if next.High < reported.Low || next.Low > reported.High {
		return reported.Hull(next)
	}
	return reported
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

// containerdFactor: containerd reports compressed bytes and keeps, by default,
// both the compressed blobs (1) and the unpacked snapshots (1 to 3.5). With
// discard_unpacked_layers, the default of EKS images, only the snapshots stay.
// Nothing in the API says which, so this spans both. Measured: 3.0 for a mix of
// images; 2.65 unpacked for nginx; 3.3 for the images an EKS node caches
// (awslabs/amazon-eks-ami#1144). An image of zeros is far outside: 131.
func containerdFactor() estimate.Factor { return estimate.Factor{Low: 1, Likely: 3, High: 4.5} }

// unpackedFactor: CRI-O (containers/image storage_src.go getSize) and docker
// report unpacked bytes, which the disk holds with some overhead of the file
// system, or somewhat less where files are sparse or tiny sums are metadata.
func unpackedFactor() estimate.Factor { return estimate.Factor{Low: 0.9, Likely: 1, High: 1.2} }

// otherFactor: the unit is not known, so it spans the units of all families.
func otherFactor() estimate.Factor { return estimate.Factor{Low: 0.9, Likely: 2, High: 4.5} }

// unpackFactor is unpacked bytes per compressed byte: 1 for weights and other
// data that does not compress, 1.9 to 3.3 in the published measurements of
// ordinary images.
func unpackFactor() estimate.Factor { return estimate.Factor{Low: 1, Likely: 2.5, High: 3.5} }
