// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"net"

	corev1 "k8s.io/api/core/v1"

	"github.com/headroom-dev/headroom/kubelet"
	"github.com/headroom-dev/headroom/ledger"
)

// NotAsked says why a node's kubelet is not asked at all. It is a closed set, fit to be the label of a metric. Such a node
// falls to the next tier.
type NotAsked string

const (
	// NoAddress is a node without an InternalIP.
	NoAddress NotAsked = "no_address"
	// WindowsNode is a node whose kubelet reports another kind of image file system.
	WindowsNode NotAsked = "windows"
	// VirtualNode is a node without a kubelet of its own.
	VirtualNode NotAsked = "virtual"
)

// TargetOf returns where the kubelet of n is asked, or why it isn't. A kubelet that is asked through the API server needs
// no address.
func TargetOf(n *corev1.Node, viaAPIServer bool) (target kubelet.Target, reason NotAsked) {
	target = kubelet.Target{Node: n.Name, Port: int(n.Status.DaemonEndpoints.KubeletEndpoint.Port)}
	if target.Port < 1 || target.Port > 65535 {
		target.Port = kubelet.DefaultPort
	}
	for _, address := range n.Status.Addresses {
		// Only literal addresses: a name would be resolved by whoever runs the cluster's DNS.
		if address.Type == corev1.NodeInternalIP && net.ParseIP(address.Address) != nil {
			target.Address = address.Address
			break
		}
	}
	switch {
	case isVirtual(n):
		return target, VirtualNode
	case firstNonEmpty(n.Status.NodeInfo.OperatingSystem, n.Labels[corev1.LabelOSStable]) == string(corev1.Windows):
		return target, WindowsNode
	case target.Address == "" && !viaAPIServer:
		return target, NoAddress
	default:
		return target, ""
	}
}

// isVirtual knows the marks of virtual-kubelet and of KWOK.
func isVirtual(n *corev1.Node) bool {
	if kind := n.Labels["type"]; kind == "virtual-kubelet" || kind == "kwok" {
		return true
	}
	for i := range n.Spec.Taints {
		if n.Spec.Taints[i].Key == "virtual-kubelet.io/provider" {
			return true
		}
	}
	return false
}

// LinesOf returns the lines of one kubelet's configuration. Its thresholds for the file system of containers are left out:
// the kubelet overwrites them with those of the disk that it is on (pkg/kubelet/eviction/helpers.go,
// UpdateContainerFsThresholds), so that they only mean something on a disk of its own, where no images are.
func LinesOf(c kubelet.Config) ledger.Lines {
	lines := ledger.Lines{
		GCHighPercent:   c.ImageGCHighPercent,
		GCLowPercent:    c.ImageGCLowPercent,
		GCOff:           c.GCOff,
		ImageMinAge:     c.ImageMinimumGCAge,
		MaxImagesListed: c.NodeStatusMaxImages,
	}
	for _, t := range c.Thresholds {
		switch signal := ledger.Signal(t.Signal); signal {
		case ledger.ImageFSAvailable, ledger.NodeFSAvailable, ledger.ImageFSInodesFree, ledger.NodeFSInodesFree:
			threshold := ledger.Threshold{Signal: signal, Percent: t.Percent, Bytes: t.Bytes, Inodes: t.Inodes, Soft: t.Soft}
			if signal == ledger.ImageFSAvailable || signal == ledger.NodeFSAvailable {
				threshold.MinReclaimPercent, threshold.MinReclaimBytes = t.MinReclaimPercent, t.MinReclaimBytes
			}
			lines.Thresholds = append(lines.Thresholds, threshold)
		}
	}
	return lines
}
