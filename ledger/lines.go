// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"math"
	"math/bits"
	"slices"
	"time"

	"github.com/headroom-dev/headroom/estimate"
)

// Signal is the eviction signal a threshold belongs to.
type Signal string

// The signals whose thresholds can live on the image file system.
const (
	ImageFSAvailable  Signal = "imagefs.available"
	NodeFSAvailable   Signal = "nodefs.available"
	ImageFSInodesFree Signal = "imagefs.inodesFree"
	NodeFSInodesFree  Signal = "nodefs.inodesFree"
)

// Threshold is one eviction threshold, hard or soft: a share of the capacity (of
// all inodes, for a signal that counts inodes), or a number of bytes or inodes.
type Threshold struct {
	Signal  Signal
	Percent float64 // 0 to 100; 0 when Bytes or Inodes is set
	Bytes   int64
	Inodes  int64
	Soft    bool
	// MinReclaimPercent, of capacity, or MinReclaimBytes is how much more than the
	// threshold the kubelet wants once it reclaims. Not told for inodes: nobody
	// knows how many of them a reclaim frees.
	MinReclaimPercent float64
	MinReclaimBytes   int64
}

// Lines are a kubelet's settings that decide when it trims images and evicts.
type Lines struct {
	GCHighPercent, GCLowPercent int
	// GCOff is set when imageGCHighThresholdPercent is 100 and there is no maximum age.
	GCOff bool
	// ImageMinAge is imageMinimumGCAge: images that the kubelet has known for less it does not
	// delete, not even under pressure (image_gc_manager.go, freeSpace). 0 is unknown.
	ImageMinAge time.Duration
	Thresholds  []Threshold
	// MaxImagesListed is nodeStatusMaxImages: -1 is no cap.
	MaxImagesListed int
	// Assumed is set when they are the kubelet's defaults and not this kubelet's answer.
	Assumed bool
}

// DefaultLines returns the kubelet's own defaults (pkg/kubelet/apis/config/v1beta1
// defaults.go, pkg/kubelet/eviction defaults_linux.go), marked as assumed.
func DefaultLines() Lines {
	return Lines{
		GCHighPercent: 85,
		GCLowPercent:  80,
		Thresholds: []Threshold{
			{Signal: ImageFSAvailable, Percent: 15},
			{Signal: NodeFSAvailable, Percent: 10},
			{Signal: ImageFSInodesFree, Percent: 5},
			{Signal: NodeFSInodesFree, Percent: 5},
		},
		MaxImagesListed: 50,
		Assumed:         true,
	}
}

// defaultLines are those of all rows whose kubelet did not tell. They never change.
var defaultLines = DefaultLines()

// GCLineBytes returns the bytes of which the kubelet wants at least that many
// available: with fewer, its next image GC trims images. 0 when GC is off.
//
// image_gc_manager.go computes usage as 100 - int(available*100/capacity) and
// compares with >=, which is 100*available < capacity*(101-high). The result is
// the smallest integer for which that is available < line.
func (l Lines) GCLineBytes(capacityBytes int64) int64 {
	if l.GCOff || capacityBytes <= 0 {
		return 0
	}
	hi, lo := bits.Mul64(uint64(capacityBytes), uint64(101-min(max(l.GCHighPercent, 0), 100)))
	quotient, remainder := bits.Div64(hi, lo, 100)
	if remainder > 0 {
		quotient++
	}
	return int64(min(quotient, math.MaxInt64))
}

// EvictionLineBytes returns the highest of the eviction thresholds, hard or soft,
// that live on the image file system: those of imagefs, and those of nodefs where
// both are one file system. The kubelet sets DiskPressure when fewer bytes than
// that are available. 0 when there is no such threshold.
func (l Lines) EvictionLineBytes(capacityBytes int64, sharedWithNodeFS bool) int64 {
	line := int64(0)
	for _, t := range l.Thresholds {
		if t.on(ImageFSAvailable, NodeFSAvailable, sharedWithNodeFS) {
			line = max(line, t.lineBytes(capacityBytes))
		}
	}
	return line
}

// EvictionTargetBytes returns the bytes that must be available after the kubelet
// has deleted unused images, or it evicts a pod at once: never less than
// EvictionLineBytes, and 0 like it when there is no threshold.
//
// Reclaiming is judged by all thresholds, each with its evictionMinimumReclaim:
// also by those that were not crossed, and by soft ones whatever their grace
// (eviction_manager.go, reclaimNodeLevelResources). The minimum is no part of the
// line: a node that is between the two without ever having been below the line is
// not under pressure.
func (l Lines) EvictionTargetBytes(capacityBytes int64, sharedWithNodeFS bool) int64 {
	if l.EvictionLineBytes(capacityBytes, sharedWithNodeFS) == 0 {
		return 0
	}
	target := int64(0)
	for _, t := range l.Thresholds {
		if t.on(ImageFSAvailable, NodeFSAvailable, sharedWithNodeFS) {
			reclaim := amountOf(t.MinReclaimPercent, t.MinReclaimBytes, capacityBytes)
			target = max(target, estimate.SaturatingAdd(t.lineBytes(capacityBytes), reclaim))
		}
	}
	return target
}

// InodeLine returns the highest threshold for free inodes that lives on the image
// file system, which has that many inodes: with fewer free the kubelet sets
// DiskPressure. 0 when there is none, or the inodes are not told.
func (l Lines) InodeLine(inodes int64, sharedWithNodeFS bool) int64 {
	if inodes <= 0 {
		return 0
	}
	line := int64(0)
	for _, t := range l.Thresholds {
		if t.on(ImageFSInodesFree, NodeFSInodesFree, sharedWithNodeFS) {
			line = max(line, amountOf(t.Percent, t.Inodes, inodes))
		}
	}
	return line
}

// on reports whether t is of one of two signals, the second of which only counts
// on a file system that both share.
func (t Threshold) on(imageFS, nodeFS Signal, shared bool) bool {
	return t.Signal == imageFS || t.Signal == nodeFS && shared
}

func (t Threshold) lineBytes(capacityBytes int64) int64 {
	return amountOf(t.Percent, t.Bytes, capacityBytes)
}

// amountOf is GetThresholdQuantity (pkg/kubelet/eviction/api/types.go), which
// multiplies with a percentage that it holds as a float32 fraction. It saturates.
func amountOf(percent float64, number, capacity int64) int64 {
	if number != 0 {
		return max(number, 0)
	}
	if !(percent > 0) || capacity <= 0 {
		return 0
	}
	amount := float64(capacity) * float64(float32(percent)/100)
	if amount >= math.MaxInt64 {
		return math.MaxInt64
	}
	return int64(amount)
}

// usualMinAge is the kubelet's default of imageMinimumGCAge. Who waits for a node's
// disk waits longer.
const usualMinAge = 2 * time.Minute

// keepsYoung reports whether images may stay that no pod uses, because the kubelet has not
// known them for long enough. Nobody tells since when it has, and a restart makes all of
// them young.
func (l Lines) keepsYoung() bool { return l.ImageMinAge > usualMinAge }

// cuts reports whether a list of n images may have lost some to the kubelet's cap.
func (l Lines) cuts(n int) bool { return l.MaxImagesListed >= 0 && n >= l.MaxImagesListed }

func (l Lines) equal(o Lines) bool {
	return l.GCHighPercent == o.GCHighPercent && l.GCLowPercent == o.GCLowPercent && l.GCOff == o.GCOff &&
		l.ImageMinAge == o.ImageMinAge && l.MaxImagesListed == o.MaxImagesListed && l.Assumed == o.Assumed && slices.Equal(l.Thresholds, o.Thresholds)
}
