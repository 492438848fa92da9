// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

// Package verdict holds the seven answers Headroom gives about a pod's images and a node's image storage.
//
// Each answer is named after what will happen on the node, so that the word in a warning, a metric, an annotation and the
// policy is the same word. Their order of severity is part of the contract: thresholds in the policy compare by it.
package verdict

import (
	"fmt"
	"strings"
)

// Verdict is what will happen to a node if a pod's images are pulled there. Its text is stable: it appears in policies,
// audit annotations, metrics and JSON. The zero value is no verdict and behaves like Unknown.
type Verdict string

const (
	// Fits means that nothing happens: what stays free is at or above the line where the kubelet starts to collect images.
	Fits Verdict = "Fits"
	// TriggersGC means that the kubelet will, within five minutes, trim the least recently used images. No pod notices.
	TriggersGC Verdict = "TriggersGC"
	// PressuresDisk means DiskPressure and its taint for some minutes, all unused images deleted, and a pull that may fail
	// once and succeed on retry. No pod is evicted.
	PressuresDisk Verdict = "PressuresDisk"
	// EvictsPods means that freeing every unused image is not enough: the kubelet evicts running pods, often other people's.
	EvictsPods Verdict = "EvictsPods"
	// FillsDisk means that the pull fails with "no space left on device" and keeps failing.
	FillsDisk Verdict = "FillsDisk"
	// NeverFits means that the pod's images can't be held even by this node's image disk with nothing else on it.
	NeverFits Verdict = "NeverFits"
	// Unknown means that there is no opinion: the capacity or a size is not known, or the data is too old.
	Unknown Verdict = "Unknown"
)

// All returns every verdict in order of severity, with Unknown last. The caller owns the slice.
func All() []Verdict {
	return []Verdict{Fits, TriggersGC, PressuresDisk, EvictsPods, FillsDisk, NeverFits, Unknown}
}

// Parse returns the verdict spelled s. Spelling is exact; the error lists what is allowed.
func Parse(s string) (Verdict, error) {
	names := make([]string, 0, len(All()))
	for _, v := range All() {
		if string(v) == s {
			return v, nil
		}
		names = append(names, string(v))
	}
	return "", fmt.Errorf("%q is not a verdict: use one of %s", shorten(s), strings.Join(names, ", "))
}

// Severity returns 0 for Fits up to 5 for NeverFits, and -1 for Unknown and for anything that is not a verdict.
func (v Verdict) Severity() int {
	switch v {
	case Fits:
		return 0
	case TriggersGC:
		return 1
	case PressuresDisk:
		return 2
	case EvictsPods:
		return 3
	case FillsDisk:
		return 4
	case NeverFits:
		return 5
	case Unknown:
		return -1
	default:
		return -1
	}
}

// AtLeast reports whether v is as severe as o, or more. It is false whenever either is Unknown: not knowing reaches no
// threshold.
func (v Verdict) AtLeast(o Verdict) bool {
	return v.Severity() >= 0 && o.Severity() >= 0 && v.Severity() >= o.Severity()
}

// shorten keeps hostile input from filling an error message.
func shorten(s string) string {
	const limit = 40
	if len(s) <= limit {
		return s
	}
	return strings.ToValidUTF8(s[:limit], "") + "..."
}
