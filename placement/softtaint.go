// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package placement

import (
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// ImageStorageTaint is the key of the taint that asks the scheduler to prefer other nodes, because the disk of this one was too
// full for the images of some pod. It keeps no pod away: its effect is PreferNoSchedule. Its value is when it was put there, in
// seconds since 1970, so that whoever finds it can tell whether it is too old.
const ImageStorageTaint = "headroom.dev/image-storage"

// SoftTaint returns the taint ImageStorageTaint as it is put on a node at a time.
func SoftTaint(at time.Time) corev1.Taint {
	return corev1.Taint{Key: ImageStorageTaint, Value: strconv.FormatInt(at.Unix(), 10), Effect: corev1.TaintEffectPreferNoSchedule}
}

// IsSoft reports whether a taint is one that SoftTaint makes, whatever its value.
func IsSoft(taint *corev1.Taint) bool {
	return taint.Key == ImageStorageTaint && taint.Effect == corev1.TaintEffectPreferNoSchedule
}

// SoftTaintSince returns when the taint was put on the node that has these taints, and whether it has one. The time is zero
// where the value is none.
func SoftTaintSince(taints []corev1.Taint) (since time.Time, found bool) {
	for i := range taints {
		if !IsSoft(&taints[i]) {
			continue
		}
		seconds, err := strconv.ParseInt(taints[i].Value, 10, 64)
		if err != nil || seconds <= 0 {
			return time.Time{}, true
		}
		return time.Unix(seconds, 0), true
	}
	return time.Time{}, false
}

// IgnoresSoftTaint reports whether the pod has a toleration for ImageStorageTaint. One with a value counts, too, although none
// matches for long: whoever wrote it wants to be left alone. So does one with more tolerations than are looked at.
func (c *Constraints) IgnoresSoftTaint() bool {
	if c.beyond {
		return true
	}
	for i := range c.tolerations {
		t := &c.tolerations[i]
		everyKey := t.Key == "" && t.Operator == corev1.TolerationOpExists
		if (everyKey || t.Key == ImageStorageTaint) && (t.Effect == "" || t.Effect == corev1.TaintEffectPreferNoSchedule) {
			return true
		}
	}
	return false
}
