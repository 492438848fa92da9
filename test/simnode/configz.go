// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package simnode

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kubeletv1beta1 "k8s.io/kubelet/config/v1beta1"
)

// kubeletConfiguration is what GET /configz shows.
func (n *Node) kubeletConfiguration() *kubeletv1beta1.KubeletConfiguration {
	s := n.spec
	duration := func(d time.Duration) metav1.Duration { return metav1.Duration{Duration: d} }
	c := &kubeletv1beta1.KubeletConfiguration{
		TypeMeta:                         metav1.TypeMeta{APIVersion: kubeletv1beta1.SchemeGroupVersion.String(), Kind: "KubeletConfiguration"},
		EnableServer:                     new(true),
		EnableDebuggingHandlers:          new(true),
		Port:                             n.port(),
		ContainerRuntimeEndpoint:         "unix:///run/containerd/containerd.sock",
		ImageGCHighThresholdPercent:      new(int32(s.GCHighPercent)), //nolint:gosec // 0 to 100
		ImageGCLowThresholdPercent:       new(int32(s.GCLowPercent)),  //nolint:gosec // 0 to 100
		ImageMinimumGCAge:                duration(s.ImageMinimumGCAge),
		ImageMaximumGCAge:                duration(s.ImageMaximumGCAge),
		EvictionHard:                     s.EvictionHard,
		EvictionSoft:                     s.EvictionSoft,
		EvictionSoftGracePeriod:          s.EvictionSoftGracePeriod,
		EvictionMinimumReclaim:           s.EvictionMinimumReclaim,
		EvictionPressureTransitionPeriod: duration(s.PressureTransition),
		NodeStatusMaxImages:              new(int32(s.NodeStatusMaxImages)), //nolint:gosec // small
		NodeStatusUpdateFrequency:        duration(s.StatusPeriod),
		NodeStatusReportFrequency:        duration(s.StatusReportPeriod),
		NodeLeaseDurationSeconds:         leaseSeconds,
		SerializeImagePulls:              new(true),
		MaxPods:                          int32(s.MaxPods), //nolint:gosec // small
	}
	c.Authentication.Anonymous.Enabled = new(false)
	c.Authentication.Webhook.Enabled = new(true)
	c.Logging.Format = "text"
	c.Logging.FlushFrequency.Duration = duration(5 * time.Second)
	c.Logging.FlushFrequency.SerializeAsString = true // or it would be a number, which a kubelet's is not
	c.Authorization.Mode = kubeletv1beta1.KubeletAuthorizationModeWebhook
	return c
}
