// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package kubelet

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	kubeletv1beta1 "k8s.io/kubelet/config/v1beta1"
)

// The eviction signals that stand for disk space: bytes, and inodes.
const (
	SignalImageFSAvailable      = "imagefs.available"
	SignalNodeFSAvailable       = "nodefs.available"
	SignalContainerFSAvailable  = "containerfs.available"
	SignalImageFSInodesFree     = "imagefs.inodesFree"
	SignalNodeFSInodesFree      = "nodefs.inodesFree"
	SignalContainerFSInodesFree = "containerfs.inodesFree"
)

// diskSignals are in the order in which thresholds are told.
var diskSignals = []string{
	SignalContainerFSAvailable, SignalImageFSAvailable, SignalNodeFSAvailable,
	SignalContainerFSInodesFree, SignalImageFSInodesFree, SignalNodeFSInodesFree,
}

// Threshold is one line of the eviction manager: crossed when less is
// available. It is a percentage of the file system's bytes or inodes, a number of
// bytes, or a number of inodes; the others are 0. All are 0 for a threshold that
// is never crossed and has a minimum reclaim nevertheless, such as "0.0%".
type Threshold struct {
	Signal        string
	Percent       float64
	Bytes, Inodes int64
	// Soft thresholds evict after Grace; DiskPressure comes at once.
	Soft  bool
	Grace time.Duration
	// MinReclaimPercent (not bounded by 100), MinReclaimBytes or MinReclaimInodes
	// is how much more than the threshold must be available before the pressure
	// ends.
	MinReclaimPercent                 float64
	MinReclaimBytes, MinReclaimInodes int64
}

// defaultEvictionHard are the kubelet's defaults for disk space
// (pkg/kubelet/eviction/defaults_linux.go).
var defaultEvictionHard = map[string]string{
	SignalNodeFSAvailable:   "10%",
	SignalNodeFSInodesFree:  "5%",
	SignalImageFSAvailable:  "15%",
	SignalImageFSInodesFree: "5%",
}

// thresholds returns the disk space thresholds of a configuration as the
// kubelet reads them (pkg/kubelet/eviction/helpers.go, ParseThresholdConfig).
// With any evictionHard key set, a signal that is not named has no threshold,
// unless the kubelet was told to merge its defaults.
func thresholds(k *kubeletv1beta1.KubeletConfiguration) ([]Threshold, error) {
	merge := len(k.EvictionHard) > 0 && k.MergeDefaultEvictionSettings != nil && *k.MergeDefaultEvictionSettings
	var all []Threshold
	for _, signal := range diskSignals {
		hard, set := k.EvictionHard[signal]
		if !set && merge {
			hard, set = defaultEvictionHard[signal]
		}
		if set && !switchedOff(hard) {
			t, err := threshold("evictionHard", signal, hard)
			if err != nil {
				return nil, err
			}
			all = append(all, t)
		}
		if soft, set := k.EvictionSoft[signal]; set && !switchedOff(soft) {
			t, err := threshold("evictionSoft", signal, soft)
			if err != nil {
				return nil, err
			}
			t.Soft = true
			if t.Grace, err = grace(signal, k.EvictionSoftGracePeriod[signal]); err != nil {
				return nil, err
			}
			all = append(all, t)
		}
	}
	if err := addMinimumReclaim(all, k.EvictionMinimumReclaim); err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, Threshold.idle)
	if len(all) == 0 {
		return nil, nil
	}
	slices.SortStableFunc(all, func(a, b Threshold) int { return cmp.Compare(rank(a), rank(b)) })
	return all, nil
}

func addMinimumReclaim(all []Threshold, bySignal map[string]string) error {
	for i := range all {
		t := &all[i]
		reclaim, set := bySignal[t.Signal]
		if !set {
			continue
		}
		share, number, err := amount("evictionMinimumReclaim", t.Signal, reclaim)
		if err != nil {
			return err
		}
		t.MinReclaimPercent = share
		*pick(t.Signal, &t.MinReclaimBytes, &t.MinReclaimInodes) = number
	}
	return nil
}

// idle reports whether t changes nothing.
func (t Threshold) idle() bool {
	return t.Percent == 0 && t.Bytes == 0 && t.Inodes == 0 && t.MinReclaimPercent == 0 && t.MinReclaimBytes == 0 && t.MinReclaimInodes == 0
}

func rank(t Threshold) int {
	if t.Soft {
		return 1
	}
	return 0
}

// switchedOff reports whether a value is one of the two that mean no threshold.
// The kubelet compares text: "0.0%" is a threshold.
func switchedOff(value string) bool { return value == "0%" || value == "100%" }

func threshold(field, signal, value string) (Threshold, error) {
	share, number, err := amount(field, signal, value)
	if share > 100 {
		return Threshold{}, failure(ReasonMalformed, nil, "the kubelet's %s[%s] is %q: more than 100%%", field, signal, shorten(value))
	}
	t := Threshold{Signal: signal, Percent: share}
	*pick(signal, &t.Bytes, &t.Inodes) = number
	return t, err
}

// pick returns the one of two numbers that a signal counts.
func pick(signal string, bytes, inodes *int64) *int64 {
	if strings.HasSuffix(signal, ".inodesFree") {
		return inodes
	}
	return bytes
}

// amount reads "15%" or a quantity. One of percent and number is set, or none
// where the value is zero.
func amount(field, signal, value string) (share float64, number int64, err error) {
	if strings.HasSuffix(value, "%") {
		share, err := strconv.ParseFloat(strings.TrimRight(value, "%"), 32)
		if err != nil || math.IsNaN(share) || math.IsInf(share, 0) || share < 0 {
			return 0, 0, failure(ReasonMalformed, nil, "the kubelet's %s[%s] is %q: not a percentage", field, signal, shorten(value))
		}
		// A float32's value, as the kubelet has it, but without its noise: "12.3%" is 12.3.
		clean, err := strconv.ParseFloat(strconv.FormatFloat(share, 'g', -1, 32), 64)
		return clean, 0, err
	}
	quantity, err := resource.ParseQuantity(value)
	if err != nil || quantity.Sign() < 0 {
		return 0, 0, failure(ReasonMalformed, nil, "the kubelet's %s[%s] is %q: not a percentage and not a quantity", field, signal, shorten(value))
	}
	if quantity.CmpInt64(math.MaxInt64) >= 0 {
		return 0, math.MaxInt64, nil // Where Value overflows.
	}
	// Value rounds up.
	return 0, quantity.Value(), nil
}

func grace(signal, value string) (time.Duration, error) {
	if value == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(value)
	if err != nil || d < 0 {
		return 0, failure(ReasonMalformed, nil, "the kubelet's evictionSoftGracePeriod[%s] is %q: not a duration", signal, shorten(value))
	}
	return d, nil
}

func shorten(s string) string {
	const limit = 40
	if len(s) > limit {
		return s[:limit] + "..."
	}
	return s
}
