// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package placement

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"
)

func TestSoftTaint(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 600, time.UTC)
	own := SoftTaint(at)
	if problems := validation.IsValidLabelValue(own.Value); len(problems) > 0 || len(validation.IsQualifiedName(own.Key)) > 0 {
		t.Errorf("taint %v would be refused: %v", own, problems)
	}
	other := corev1.Taint{Key: ImageStorageTaint, Value: "1", Effect: corev1.TaintEffectNoSchedule}
	for what, c := range map[string]struct {
		taints []corev1.Taint
		since  time.Time
		found  bool
	}{
		"none":                        {nil, time.Time{}, false},
		"its own, among others":       {[]corev1.Taint{{Key: "gpu", Effect: corev1.TaintEffectPreferNoSchedule}, own}, at.Truncate(time.Second), true},
		"the same key, a hard effect": {[]corev1.Taint{other}, time.Time{}, false},
		"a value that is no time":     {[]corev1.Taint{{Key: ImageStorageTaint, Value: "soon", Effect: corev1.TaintEffectPreferNoSchedule}}, time.Time{}, true},
		"no value":                    {[]corev1.Taint{{Key: ImageStorageTaint, Effect: corev1.TaintEffectPreferNoSchedule}}, time.Time{}, true},
		"a negative one":              {[]corev1.Taint{{Key: ImageStorageTaint, Value: "-5", Effect: corev1.TaintEffectPreferNoSchedule}}, time.Time{}, true},
	} {
		t.Run(what, func(t *testing.T) {
			if since, found := SoftTaintSince(c.taints); !since.Equal(c.since) || found != c.found {
				t.Errorf("since %v, %v, want %v, %v", since, found, c.since, c.found)
			}
		})
	}
}

// A soft taint keeps no pod away.
func TestSoftTaintKeepsNobodyAway(t *testing.T) {
	n := &Node{Name: "n", Ready: true, Taints: []corev1.Taint{SoftTaint(time.Unix(1, 0))}}
	if c := Of(nil); !c.Possible(n, nil) || !c.Likely(n, Resources{Pods: 1}) {
		t.Error("a pod is kept away")
	}
}

func TestIgnoresSoftTaint(t *testing.T) {
	for what, c := range map[string]struct {
		toleration corev1.Toleration
		want       bool
	}{
		"the key":                     {corev1.Toleration{Key: ImageStorageTaint, Operator: corev1.TolerationOpExists}, true},
		"the key with a value":        {corev1.Toleration{Key: ImageStorageTaint, Operator: corev1.TolerationOpEqual, Value: "x"}, true},
		"the key and the soft effect": {corev1.Toleration{Key: ImageStorageTaint, Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectPreferNoSchedule}, true},
		"the key and a hard effect":   {corev1.Toleration{Key: ImageStorageTaint, Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoExecute}, false},
		"every key":                   {corev1.Toleration{Operator: corev1.TolerationOpExists}, true},
		"every key, a hard effect":    {corev1.Toleration{Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoSchedule}, false},
		"another key":                 {corev1.Toleration{Key: "gpu", Operator: corev1.TolerationOpExists}, false},
		"nothing":                     {corev1.Toleration{}, false},
	} {
		t.Run(what, func(t *testing.T) {
			if got := Of(&corev1.PodSpec{Tolerations: []corev1.Toleration{c.toleration}}).IgnoresSoftTaint(); got != c.want {
				t.Errorf("%v, want %v", got, c.want)
			}
		})
	}
}
