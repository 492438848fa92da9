// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package kubelet

import (
	"math"
	"time"

	statsv1alpha1 "k8s.io/kubelet/pkg/apis/stats/v1alpha1"
)

// Stats is one sample of a node's image file system.
type Stats struct {
	// CapacityBytes and AvailableBytes are those of the file system that holds
	// the images. Available is what an ordinary user may write (statfs bavail):
	// blocks reserved for root are not in it.
	CapacityBytes, AvailableBytes int64
	// Inodes and InodesFree are 0 where the kubelet does not tell both, or tells
	// what can't be (btrfs has no fixed number).
	Inodes, InodesFree int64
	// SampledAt is when the kubelet read these numbers, by the node's clock:
	// node.fs.time, since imageFs.time is the age of the oldest snapshot on
	// containerd. It has a resolution of one second.
	SampledAt time.Time
	// Age is how old the sample was when the node answered, both ends by the
	// node's clock. Never negative.
	Age time.Duration
	// SharedWithNodeFS says that the images and the kubelet's root directory
	// are on one file system, so that nodefs thresholds live on it, too.
	SharedWithNodeFS bool
	// NodeFSCapacityBytes and NodeFSAvailableBytes are those of the kubelet's
	// root directory, 0 where the kubelet does not tell.
	NodeFSCapacityBytes, NodeFSAvailableBytes int64
}

// statsOf checks what a node part says. date is the time of the response by the
// node's clock (its Date header); the zero Time leaves Age 0.
//
// It never looks at usedBytes: containerd leaves its content store out of it,
// CRI-O counts metadata only.
func statsOf(part nodePart, date time.Time) (Stats, error) {
	if part.Runtime == nil || part.Runtime.ImageFS == nil {
		return Stats{}, noImageFS()
	}
	image, node := part.Runtime.ImageFS, part.FS
	if image.CapacityBytes == nil || image.AvailableBytes == nil || *image.CapacityBytes == 0 {
		return Stats{}, noImageFS()
	}
	if *image.AvailableBytes > *image.CapacityBytes {
		return Stats{}, failure(ReasonMalformed, nil, "the kubelet reports %d of %d bytes of its image file system available, which can't be",
			*image.AvailableBytes, *image.CapacityBytes)
	}
	if node == nil || node.Time.IsZero() {
		return Stats{}, failure(ReasonMalformed, nil, "the kubelet's summary has no node.fs.time, so that nobody knows how old its numbers are")
	}
	stats := Stats{
		CapacityBytes:        signed(image.CapacityBytes),
		AvailableBytes:       signed(image.AvailableBytes),
		SampledAt:            node.Time.Time,
		SharedWithNodeFS:     same(image, node),
		NodeFSCapacityBytes:  signed(node.CapacityBytes),
		NodeFSAvailableBytes: signed(node.AvailableBytes),
	}
	if free, total := image.InodesFree, image.Inodes; free != nil && total != nil && *free <= *total {
		stats.Inodes, stats.InodesFree = signed(total), signed(free)
	}
	if !date.IsZero() {
		stats.Age = max(0, date.Sub(stats.SampledAt))
	}
	return stats, nil
}

func noImageFS() *Error {
	return failure(ReasonNoImageFS, nil, "the kubelet reports no image file system capacity: declare the node pool's imageFilesystem in the policy")
}

// same tells one disk from two as the kubelet does for image and container
// file system (equalFileSystems): both come from one sample, so that on one
// disk every number is equal.
func same(a, b *statsv1alpha1.FsStats) bool {
	return equal(a.CapacityBytes, b.CapacityBytes) && equal(a.AvailableBytes, b.AvailableBytes) &&
		equal(a.Inodes, b.Inodes) && equal(a.InodesFree, b.InodesFree)
}

func equal(a, b *uint64) bool {
	if a == nil || b == nil {
		return a == b
	}
	return *a == *b
}

// signed saturates: no disk has 8 EiB.
func signed(n *uint64) int64 {
	switch {
	case n == nil:
		return 0
	case *n > math.MaxInt64:
		return math.MaxInt64
	default:
		return int64(*n)
	}
}
