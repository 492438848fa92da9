// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package kubeletrules

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	daemonutil "k8s.io/kubernetes/pkg/controller/daemon/util"

	"github.com/headroom-dev/headroom/placement"
)

// The DaemonSet controller and placement add the same tolerations, in the same order, to a template.
func TestTolerationsOfADaemonSet(t *testing.T) {
	for what, template := range map[string]corev1.PodSpec{
		"without wishes":          {},
		"on the node's network":   {HostNetwork: true},
		"with a toleration":       {Tolerations: []corev1.Toleration{{Key: "gpu", Operator: corev1.TolerationOpExists}}},
		"with a selector":         {NodeSelector: map[string]string{"disk": "large"}},
		"that tolerates anything": {HostNetwork: true, Tolerations: []corev1.Toleration{{Operator: corev1.TolerationOpExists}}},
	} {
		ours := placement.OfDaemonSet(&template)
		theirs := *template.DeepCopy()
		daemonutil.AddOrUpdateDaemonPodTolerations(&theirs)
		if ours.Key() != placement.Of(&theirs).Key() {
			t.Errorf("a template %s: its controller tolerates %v", what, theirs.Tolerations)
		}
	}
}
