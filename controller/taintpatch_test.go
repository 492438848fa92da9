// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/headroom-dev/headroom/placement"
)

func TestTaintPatch(t *testing.T) {
	other := corev1.Taint{Key: "own", Effect: corev1.TaintEffectNoSchedule, TimeAdded: new(metav1.NewTime(t0))}
	taint := placement.SoftTaint(t0)
	const (
		uid       = `[{"op":"test","path":"/metadata/uid","value":"1"},`
		otherJSON = `{"key":"own","effect":"NoSchedule","timeAdded":"2026-01-01T12:00:00Z"}`
		softJSON  = `{"key":"headroom.dev/image-storage","value":"1767268800","effect":"PreferNoSchedule"}`
	)
	for what, c := range map[string]struct {
		has, wants []corev1.Taint
		want       string
	}{
		"the first one": {nil, []corev1.Taint{taint}, uid + `{"op":"test","path":"/spec/taints","value":null},{"op":"add","path":"/spec/taints","value":[` + softJSON + `]}]`},
		"one more": {
			[]corev1.Taint{other},
			[]corev1.Taint{other, taint},
			uid + `{"op":"test","path":"/spec/taints","value":[` + otherJSON + `]},{"op":"add","path":"/spec/taints","value":[` + otherJSON + `,` + softJSON + `]}]`,
		},
		"the last one gone": {[]corev1.Taint{taint}, []corev1.Taint{}, uid + `{"op":"test","path":"/spec/taints","value":[` + softJSON + `]},{"op":"remove","path":"/spec/taints"}]`},
	} {
		t.Run(what, func(t *testing.T) {
			got, err := taintPatch("1", c.has, c.wants)
			if diff := cmp.Diff(c.want, string(got)); diff != "" || err != nil {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
		})
	}
}
