// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"math"
	"math/bits"
	"slices"
)

// Signal is the eviction signal a threshold belongs to.
type Signal string

// The signals whose thresholds can live on the image file system.
const (
	ImageFSAvailable Signal = "imagefs.available"
	NodeFSAvailable  Signal = "nodefs.available"
)

// Threshold is one eviction threshold, hard or soft: a share of the capacity or
// a number of bytes, never both.
type Threshold struct {
	Signal  Signal
	Percent float64 // of capacity, 0 to 100; 0 when Bytes is set
	Bytes   int64
	Soft    bool
}

// Lines are a kubelet's settings that decide when it trims images and evicts.
type Lines struct {
	GCHighPercent, GCLowPercent int
	// GCOff is set when imageGCHighThresholdPercent is 100 and there is no maximum age.
	GCOff      bool
	Thresholds []Threshold
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
		},
		MaxImagesListed: 50,
		Assumed:         true,
	}
}

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
		if t.Signal == ImageFSAvailable || t.Signal == NodeFSAvailable && sharedWithNodeFS {
			line = max(line, t.quantity(capacityBytes))
		}
	}
	return line
}

// quantity is GetThresholdQuantity (pkg/kubelet/eviction/api/types.go), which
// multiplies with a percentage that it holds as a float32 fraction. 0 % and 100 %
// switch a threshold off (parseThresholdStatement).
func (t Threshold) quantity(capacityBytes int64) int64 {
	if t.Bytes != 0 {
		return max(t.Bytes, 0)
	}
	if !(t.Percent > 0 && t.Percent < 100) || capacityBytes <= 0 {
		return 0
	}
	fraction := float32(t.Percent) / 100
	return int64(float64(capacityBytes) * float64(fraction))
}

// cuts reports whether a list of n images may have lost some to the kubelet's cap.
func (l Lines) cuts(n int) bool { return l.MaxImagesListed >= 0 && n >= l.MaxImagesListed }

func (l Lines) equal(o Lines) bool {
	return l.GCHighPercent == o.GCHighPercent && l.GCLowPercent == o.GCLowPercent && l.GCOff == o.GCOff &&
		l.MaxImagesListed == o.MaxImagesListed && l.Assumed == o.Assumed && slices.Equal(l.Thresholds, o.Thresholds)
}
