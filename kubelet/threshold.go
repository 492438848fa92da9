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

// The eviction signals that stand for disk space.
const (
	SignalImageFSAvailable     = "imagefs.available"
	SignalNodeFSAvailable      = "nodefs.available"
	SignalContainerFSAvailable = "containerfs.available"
)

// Threshold is one line of the eviction manager: crossed when less is
// available. It is a percentage of the capacity or a number of bytes, and the
// other one is 0.
type Threshold struct {
	Signal  string
	Percent float64
	Bytes   int64
	// Soft thresholds evict after Grace; DiskPressure comes at once.
	Soft  bool
	Grace time.Duration
	// MinReclaimPercent or MinReclaimBytes is how much more than the threshold
	// must be available before the pressure ends.
	MinReclaimPercent float64
	MinReclaimBytes   int64
}

// defaultEvictionHard are the kubelet's defaults for disk space
// (pkg/kubelet/eviction/defaults_linux.go).
var defaultEvictionHard = map[string]string{
	SignalNodeFSAvailable:  "10%",
	SignalImageFSAvailable: "15%",
}

// thresholds returns the disk space thresholds of a configuration as the
// kubelet reads them (pkg/kubelet/eviction/helpers.go, ParseThresholdConfig).
// With any evictionHard key set, a signal that is not named has no threshold,
// unless the kubelet was told to merge its defaults.
func thresholds(k *kubeletv1beta1.KubeletConfiguration) ([]Threshold, error) {
	merge := len(k.EvictionHard) > 0 && k.MergeDefaultEvictionSettings != nil && *k.MergeDefaultEvictionSettings
	var all []Threshold
	for _, signal := range []string{SignalContainerFSAvailable, SignalImageFSAvailable, SignalNodeFSAvailable} {
		hard, set := k.EvictionHard[signal]
		if !set && merge {
			hard, set = defaultEvictionHard[signal]
		}
		if set {
			t, err := threshold("evictionHard", signal, hard)
			if err != nil {
				return nil, err
			}
			all = append(all, t)
		}
		if soft, set := k.EvictionSoft[signal]; set {
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
	all = slices.DeleteFunc(all, func(t Threshold) bool { return t.Percent == 0 && t.Bytes == 0 })
	if len(all) == 0 {
		return nil, nil
	}
	if err := addMinimumReclaim(all, k.EvictionMinimumReclaim); err != nil {
		return nil, err
	}
	slices.SortStableFunc(all, func(a, b Threshold) int { return cmp.Compare(rank(a), rank(b)) })
	return all, nil
}

func addMinimumReclaim(all []Threshold, bySignal map[string]string) error {
	for i := range all {
		reclaim, set := bySignal[all[i].Signal]
		if !set {
			continue
		}
		share, bytes, err := amount("evictionMinimumReclaim", all[i].Signal, reclaim)
		if err != nil {
			return err
		}
		all[i].MinReclaimPercent, all[i].MinReclaimBytes = share, bytes
	}
	return nil
}

func rank(t Threshold) int {
	if t.Soft {
		return 1
	}
	return 0
}

func threshold(field, signal, value string) (Threshold, error) {
	// The kubelet compares text: 0% and 100% switch a threshold off.
	if value == "0%" || value == "100%" {
		return Threshold{}, nil
	}
	share, bytes, err := amount(field, signal, value)
	return Threshold{Signal: signal, Percent: share, Bytes: bytes}, err
}

// amount reads "15%" or a quantity. Exactly one of percent and bytes is set, or
// none where the value is zero.
func amount(field, signal, value string) (share float64, bytes int64, err error) {
	if digits, isPercent := strings.CutSuffix(value, "%"); isPercent {
		share, err := strconv.ParseFloat(digits, 32)
		if err != nil || math.IsNaN(share) || share < 0 || share > 100 {
			return 0, 0, failure(ReasonMalformed, nil, "the kubelet's %s[%s] is %q: not a percentage between 0%% and 100%%", field, signal, shorten(value))
		}
		// A float32's value, as the kubelet has it, but without its noise: "12.3%" is 12.3.
		clean, err := strconv.ParseFloat(strconv.FormatFloat(share, 'g', -1, 32), 64)
		return clean, 0, err
	}
	quantity, err := resource.ParseQuantity(value)
	if err != nil || quantity.Sign() < 0 {
		return 0, 0, failure(ReasonMalformed, nil, "the kubelet's %s[%s] is %q: not a percentage and not a size", field, signal, shorten(value))
	}
	// Value saturates and rounds up.
	return 0, max(0, quantity.Value()), nil
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
