// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package disk

import (
	"cmp"
	"fmt"
	"math/bits"
	"slices"
	"strconv"
	"time"
)

// UsagePercent is the kubelet's idea of how full the image file system is: 100
// less the available share, rounded down to a whole percent (kubelet:
// realImageGCManager.GarbageCollect). Availability above the capacity counts as
// the capacity; a capacity of 0 or less gives 0.
func UsagePercent(capacityBytes, availableBytes int64) int {
	if capacityBytes <= 0 {
		return 0
	}
	available := uint64(min(max(0, availableBytes), capacityBytes))
	return 100 - int(mulDiv(available, 100, uint64(capacityBytes))) //nolint:gosec // at most 100
}

// GCTriggered says whether a periodic image garbage collection deletes anything:
// usage at or past the high threshold. For whole percents that is exactly
// 100*available < capacity*(101-high), so 85 means "less than 16 % available".
func GCTriggered(capacityBytes, availableBytes int64, highPercent int) bool {
	return capacityBytes > 0 && UsagePercent(capacityBytes, availableBytes) >= highPercent
}

// AmountToFree is how many bytes a triggered collection wants, counted in
// reported sizes: down to the low threshold (kubelet:
// realImageGCManager.GarbageCollect).
func AmountToFree(capacityBytes, availableBytes int64, lowPercent int) int64 {
	if capacityBytes <= 0 {
		return 0
	}
	share := mulDiv(uint64(capacityBytes), uint64(max(0, 100-lowPercent)), 100)
	return int64(share) - min(availableBytes, capacityBytes) //nolint:gosec // share <= capacity
}

// mulDiv is a*b/c without overflow for results that fit.
func mulDiv(a, b, c uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	if hi >= c {
		return 0
	}
	quotient, _ := bits.Div64(hi, lo, c)
	return quotient
}

// Candidate is an unused, unpinned image as the collection sees it.
type Candidate struct {
	ID            string
	FirstDetected time.Time
	LastUsed      time.Time
	ReportedBytes int64
}

// SortForEviction puts the least recently used image first and breaks ties by
// the time of detection (kubelet: byLastUsedAndDetected). Where the kubelet
// leaves the order open, the ID decides here.
func SortForEviction(images []Candidate) {
	slices.SortFunc(images, func(a, b Candidate) int {
		return cmp.Or(a.LastUsed.Compare(b.LastUsed), a.FirstDetected.Compare(b.FirstDetected), cmp.Compare(a.ID, b.ID))
	})
}

// ChooseSpace says which of the sorted images a collection at freeTime deletes
// to free bytesToFree, and what it believes it freed: the sum of their reported
// sizes, not of what the disk gets back (kubelet: realImageGCManager.freeSpace).
// Images used at freeTime or detected less than minAge ago stay.
func ChooseSpace(images []Candidate, freeTime time.Time, minAge time.Duration, bytesToFree int64) (ids []string, freedBytes int64) {
	for _, img := range images {
		if !img.LastUsed.Before(freeTime) || freeTime.Sub(img.FirstDetected) < minAge {
			continue
		}
		ids = append(ids, img.ID)
		if freedBytes += img.ReportedBytes; freedBytes >= bytesToFree {
			break
		}
	}
	return ids, freedBytes
}

// ChooseOld says which images a collection deletes because nobody used them for
// maxAge, however empty the disk is (kubelet: realImageGCManager.freeOldImages).
// A maxAge of 0 switches it off; it also waits until the kubelet has run for
// longer than maxAge.
func ChooseOld(images []Candidate, freeTime, began time.Time, maxAge time.Duration) []string {
	if maxAge == 0 || freeTime.Sub(began) <= maxAge {
		return nil
	}
	var ids []string
	for _, img := range images {
		if freeTime.Sub(img.LastUsed) > maxAge {
			ids = append(ids, img.ID)
		}
	}
	return ids
}

// gcFailedMessage is the kubelet's FreeDiskSpaceFailed event.
func gcFailedMessage(usagePercent int, capacityBytes, freedBytes int64) string {
	return fmt.Sprintf("Insufficient free disk space on the node's image filesystem (%d%% of %s used). "+
		"Failed to free sufficient space by deleting unused images (freed %d bytes). "+
		"Investigate disk usage, as it could be used by active images, logs, volumes, or other data.",
		usagePercent, formatSize(capacityBytes), freedBytes)
}

// formatSize writes bytes with one decimal in binary units, as the kubelet does.
func formatSize(sizeBytes int64) string {
	if sizeBytes < 1<<10 {
		return strconv.FormatInt(sizeBytes, 10) + " B"
	}
	value, unit := float64(sizeBytes)/(1<<10), 0
	for ; value >= 1<<10 && unit < 3; unit++ {
		value /= 1 << 10
	}
	return fmt.Sprintf("%.1f %ciB", value, "KMGT"[unit])
}
