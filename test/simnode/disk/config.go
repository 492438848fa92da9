// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package disk

import (
	"errors"
	"fmt"
	"time"
)

// Config is one node's disk and the part of its kubelet configuration that
// decides about it. [Defaults] fills in what a kubelet would assume.
type Config struct {
	// DiskBytes is the capacity of the image file system.
	DiskBytes int64
	// ReservedBytes is free space that only root may use (5 % on a plain ext4):
	// not available in the kubelet's eyes, yet a pull may still fill it.
	ReservedBytes int64
	// OtherUsedBytes is taken on the image file system by something else.
	OtherUsedBytes int64
	// SharedWithNodeFS puts the kubelet's own directory on the same disk.
	SharedWithNodeFS bool
	// NodeFSBytes and NodeFSUsedBytes describe the other disk when not shared.
	NodeFSBytes     int64
	NodeFSUsedBytes int64
	// DiscardUnpackedLayers is containerd's discard_unpacked_layers: blobs go away
	// once the pull has ended.
	DiscardUnpackedLayers bool
	// PreloadedImages are on the disk from the start, by name.
	PreloadedImages []string

	// GCHighPercent and GCLowPercent are imageGCHighThresholdPercent and
	// imageGCLowThresholdPercent. A high of 100 without ImageMaximumGCAge switches
	// the periodic collection off.
	GCHighPercent     int
	GCLowPercent      int
	ImageMinimumGCAge time.Duration
	ImageMaximumGCAge time.Duration

	// Thresholds are the eviction lines; see [ParseThresholds].
	Thresholds         []Threshold
	PressureTransition time.Duration

	// PullBytesPerSecond is the download rate, UnpackBytesPerSecond how fast layers
	// are unpacked. A negative rate takes no time.
	PullBytesPerSecond   int64
	UnpackBytesPerSecond int64
	// PullBackoff is the first pause after a failed pull. It doubles with every
	// failure of that image for that pod, up to PullBackoffMax.
	PullBackoff    time.Duration
	PullBackoffMax time.Duration
	// SyncRetry is how long the kubelet waits after a pod sync that failed.
	SyncRetry time.Duration
	// WritableBytes is a container's writable layer unless the pod says otherwise.
	WritableBytes int64

	// Periods of the kubelet's loops. A negative period stops a loop, for drivers
	// that call [Node.CollectImages], [Node.SyncEviction] and the others themselves.
	GCPeriod           time.Duration // image garbage collection
	DetectPeriod       time.Duration // ages and last use of images
	EvictionPeriod     time.Duration // eviction manager
	HousekeepingPeriod time.Duration // file system sample
	ImageListPeriod    time.Duration // image list for the node status
	// PodCleanup is how long the eviction manager waits for an evicted pod to be
	// gone before its next pass.
	PodCleanup time.Duration
}

// Defaults returns c with the kubelet's default wherever c is zero. Thresholds
// stay as they are: nil means none.
func Defaults(c Config) Config {
	or := func(d *time.Duration, value time.Duration) {
		if *d == 0 {
			*d = value
		}
	}
	orInt := func(n *int64, value int64) {
		if *n == 0 {
			*n = value
		}
	}
	if c.GCHighPercent == 0 {
		c.GCHighPercent = 85
	}
	if c.GCLowPercent == 0 {
		c.GCLowPercent = 80
	}
	orInt(&c.NodeFSBytes, 270_000_000_000)
	orInt(&c.NodeFSUsedBytes, min(20_000_000_000, c.NodeFSBytes/10))
	orInt(&c.PullBytesPerSecond, 50<<20)
	if c.UnpackBytesPerSecond == 0 {
		c.UnpackBytesPerSecond = 4 * c.PullBytesPerSecond
	}
	orInt(&c.WritableBytes, 28<<10)
	or(&c.ImageMinimumGCAge, 2*time.Minute)
	or(&c.PressureTransition, 5*time.Minute)
	or(&c.PullBackoff, 10*time.Second)
	or(&c.PullBackoffMax, 5*time.Minute)
	or(&c.SyncRetry, 10*time.Second)
	or(&c.GCPeriod, 5*time.Minute)
	or(&c.DetectPeriod, 5*time.Minute)
	or(&c.EvictionPeriod, 10*time.Second)
	or(&c.HousekeepingPeriod, 10*time.Second)
	or(&c.ImageListPeriod, 30*time.Second)
	or(&c.PodCleanup, time.Second)
	return c
}

// validate says what a kubelet or a disk could not be.
func (c Config) validate() error {
	switch {
	case c.DiskBytes <= 0:
		return errors.New("disk size must be more than 0 bytes")
	case c.ReservedBytes < 0 || c.ReservedBytes >= c.DiskBytes:
		return fmt.Errorf("reserved bytes %d must be between 0 and the disk size %d", c.ReservedBytes, c.DiskBytes)
	case c.OtherUsedBytes < 0 || c.OtherUsedBytes > c.DiskBytes:
		return fmt.Errorf("bytes used by others %d must be between 0 and the disk size %d", c.OtherUsedBytes, c.DiskBytes)
	case c.GCHighPercent < 0 || c.GCHighPercent > 100:
		return fmt.Errorf("image GC high threshold %d must be between 0 and 100 percent", c.GCHighPercent)
	case c.GCLowPercent < 0 || c.GCLowPercent >= c.GCHighPercent:
		return fmt.Errorf("image GC low threshold %d must be between 0 and the high threshold %d", c.GCLowPercent, c.GCHighPercent)
	}
	return nil
}

// gcOff says whether the periodic collection never runs (kubelet:
// StartGarbageCollection).
func (c Config) gcOff() bool { return c.GCHighPercent == 100 && c.ImageMaximumGCAge == 0 }
