// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/headroom-dev/headroom/kubelet"
	"github.com/headroom-dev/headroom/ledger"
)

func TestTargetOf(t *testing.T) {
	for name, test := range map[string]struct {
		change func(n *corev1.Node)
		via    bool
		want   kubelet.Target
		reason NotAsked
	}{
		"the first internal address": {
			change: func(n *corev1.Node) {
				n.Status.Addresses = []corev1.NodeAddress{
					{Type: corev1.NodeExternalIP, Address: "192.0.2.1"},
					{Type: corev1.NodeInternalIP, Address: "fd00::1"},
					{Type: corev1.NodeInternalIP, Address: "10.0.0.9"},
				}
			},
			want: kubelet.Target{Address: "fd00::1", Port: 10250},
		},
		"another port":              {change: func(n *corev1.Node) { n.Status.DaemonEndpoints.KubeletEndpoint.Port = 10350 }, want: kubelet.Target{Address: "10.0.0.1", Port: 10350}},
		"a port that can't be":      {change: func(n *corev1.Node) { n.Status.DaemonEndpoints.KubeletEndpoint.Port = 99999 }, want: kubelet.Target{Address: "10.0.0.1", Port: 10250}},
		"no address":                {change: func(n *corev1.Node) { n.Status.Addresses = nil }, want: kubelet.Target{Port: 10250}, reason: NoAddress},
		"an address that is a name": {change: func(n *corev1.Node) { n.Status.Addresses[0].Address = "node.example.com" }, want: kubelet.Target{Port: 10250}, reason: NoAddress},
		"the API server needs none": {change: func(n *corev1.Node) { n.Status.Addresses = nil }, via: true, want: kubelet.Target{Port: 10250}},
		"Windows":                   {change: func(n *corev1.Node) { n.Status.NodeInfo.OperatingSystem = "windows" }, want: kubelet.Target{Address: "10.0.0.1", Port: 10250}, reason: WindowsNode},
		"virtual by label":          {change: func(n *corev1.Node) { n.Labels = map[string]string{"type": "virtual-kubelet"} }, want: kubelet.Target{Address: "10.0.0.1", Port: 10250}, reason: VirtualNode},
		"virtual by taint":          {change: func(n *corev1.Node) { n.Spec.Taints = []corev1.Taint{{Key: "virtual-kubelet.io/provider"}} }, via: true, want: kubelet.Target{Address: "10.0.0.1", Port: 10250}, reason: VirtualNode},
	} {
		t.Run(name, func(t *testing.T) {
			n := linuxNode("a", "1", "boot")
			test.change(n)
			test.want.Node = "a"
			got, reason := TargetOf(n, test.via)
			if got != test.want || reason != test.reason {
				t.Errorf("got %+v %q, want %+v %q", got, reason, test.want, test.reason)
			}
		})
	}
}

func TestLinesOf(t *testing.T) {
	got := LinesOf(kubelet.Config{
		ImageGCHighPercent: 100, ImageGCLowPercent: 70, GCOff: true, NodeStatusMaxImages: -1, ImageMinimumGCAge: time.Hour,
		Thresholds: []kubelet.Threshold{
			{Signal: kubelet.SignalContainerFSAvailable, Percent: 30},
			{Signal: kubelet.SignalImageFSAvailable, Percent: 12.5, MinReclaimPercent: 5},
			{Signal: kubelet.SignalNodeFSAvailable, Bytes: 1 << 30, Soft: true, MinReclaimBytes: 1 << 20},
			{Signal: kubelet.SignalContainerFSInodesFree, Percent: 30},
			{Signal: kubelet.SignalImageFSInodesFree, Percent: 5, MinReclaimInodes: 7},
			{Signal: kubelet.SignalNodeFSInodesFree, Inodes: 1000},
		},
	})
	want := ledger.Lines{
		GCHighPercent: 100, GCLowPercent: 70, GCOff: true, MaxImagesListed: -1, ImageMinAge: time.Hour,
		Thresholds: []ledger.Threshold{
			{Signal: ledger.ImageFSAvailable, Percent: 12.5, MinReclaimPercent: 5},
			{Signal: ledger.NodeFSAvailable, Bytes: 1 << 30, Soft: true, MinReclaimBytes: 1 << 20},
			{Signal: ledger.ImageFSInodesFree, Percent: 5},
			{Signal: ledger.NodeFSInodesFree, Inodes: 1000},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
}
