// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package disk

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
)

// Signal is an eviction signal of the kubelet that the model knows.
type Signal string

// The two signals about bytes on a disk. Both stand for DiskPressure.
const (
	ImageFSAvailable Signal = "imagefs.available"
	NodeFSAvailable  Signal = "nodefs.available"
)

// Threshold is one eviction line.
type Threshold struct {
	Signal Signal
	// Line is met when less than this is available.
	Line Amount
	// MinReclaim is added to Line while the kubelet recovers from a crossing.
	MinReclaim Amount
	// Soft thresholds evict after Grace; hard ones at once. DiskPressure does not
	// wait for the grace period.
	Soft  bool
	Grace time.Duration
}

// Amount is bytes, or a share of the capacity. The zero Amount is nothing.
type Amount struct {
	Bytes int64
	// Share is 0 to 1. It has the precision of the kubelet's own float32, so that
	// both truncate to the same byte.
	Share float32
}

// Of is the amount in bytes for a capacity (kubelet: GetThresholdQuantity).
func (a Amount) Of(capacityBytes int64) int64 {
	if a.Share != 0 {
		return int64(float64(capacityBytes) * float64(a.Share))
	}
	return a.Bytes
}

// Observation is what the eviction manager reads for a signal.
type Observation struct {
	CapacityBytes  int64
	AvailableBytes int64
	// Time is when the statistics were taken.
	Time time.Time
}

// Met says whether less is available than the threshold's line, strictly
// (kubelet: thresholdsMet). With enforceMinReclaim the line is raised by the
// minimum reclaim.
func (t Threshold) Met(o Observation, enforceMinReclaim bool) bool {
	line := t.Line.Of(o.CapacityBytes)
	if enforceMinReclaim {
		line += t.MinReclaim.Of(o.CapacityBytes)
	}
	return line > o.AvailableBytes
}

// key tells thresholds apart; the same signal may have a hard and a soft one.
func (t Threshold) key() string { return string(t.Signal) + " " + strconv.FormatBool(t.Soft) }

// ParseThresholds reads the kubelet's evictionHard, evictionSoft,
// evictionSoftGracePeriod and evictionMinimumReclaim. Signals of other
// resources (memory, pid, inodes, containerfs) are checked by nobody here and
// left out; "0%" and "100%" are no threshold (kubelet: parseThresholdStatement).
// The result is in a fixed order: hard before soft, image disk before node disk.
func ParseThresholds(hard, soft, softGrace, minReclaim map[string]string) ([]Threshold, error) {
	reclaim := map[Signal]Amount{}
	for _, name := range slices.Sorted(maps.Keys(minReclaim)) {
		amount, _, err := parseAmount("evictionMinimumReclaim", name, minReclaim[name])
		if err != nil {
			return nil, err
		}
		reclaim[Signal(name)] = amount
	}
	var out []Threshold
	for _, signal := range []Signal{ImageFSAvailable, NodeFSAvailable} {
		if text, ok := hard[string(signal)]; ok {
			amount, is, err := parseAmount("evictionHard", string(signal), text)
			if err != nil {
				return nil, err
			}
			if is {
				out = append(out, Threshold{Signal: signal, Line: amount, MinReclaim: reclaim[signal]})
			}
		}
	}
	for _, signal := range []Signal{ImageFSAvailable, NodeFSAvailable} {
		text, ok := soft[string(signal)]
		if !ok {
			continue
		}
		amount, is, err := parseAmount("evictionSoft", string(signal), text)
		if err != nil {
			return nil, err
		}
		grace, err := time.ParseDuration(softGrace[string(signal)])
		if err != nil || grace < 0 {
			return nil, fmt.Errorf("evictionSoftGracePeriod %q: %q is not a duration; every soft threshold needs one, such as 90s", signal, softGrace[string(signal)])
		}
		if is {
			out = append(out, Threshold{Signal: signal, Line: amount, MinReclaim: reclaim[signal], Soft: true, Grace: grace})
		}
	}
	return out, nil
}

// parseAmount reads "15%", "500Mi" or "0%": is says whether there is a line, and is false for what the kubelet ignores.
func parseAmount(field, signal, text string) (amount Amount, is bool, err error) {
	if percent, ok := strings.CutSuffix(text, "%"); ok {
		value, err := strconv.ParseFloat(percent, 32)
		if err != nil || value < 0 || value > 100 {
			return Amount{}, false, fmt.Errorf("%s %q: %q is not a percentage between 0%% and 100%%", field, signal, text)
		}
		if text == "0%" || text == "100%" {
			return Amount{}, false, nil
		}
		return Amount{Share: float32(value) / 100}, true, nil
	}
	quantity, err := resource.ParseQuantity(text)
	if err != nil {
		return Amount{}, false, fmt.Errorf("%s %q: %q is neither a percentage nor a quantity such as 500Mi", field, signal, text)
	}
	if quantity.Sign() < 0 || (quantity.IsZero() && field != "evictionMinimumReclaim") {
		return Amount{}, false, fmt.Errorf("%s %q: %q must be more than 0", field, signal, text)
	}
	return Amount{Bytes: quantity.Value()}, true, nil
}
