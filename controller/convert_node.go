// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/imagesize"
	"github.com/headroom-dev/headroom/ledger"
	"github.com/headroom-dev/headroom/placement"
)

// NodeOf returns the ledger's row for a Node object. It shares labels and taints with the object, which must not change
// afterwards.
func NodeOf(n *corev1.Node) ledger.Node {
	return ledger.Node{
		Node: placement.Node{
			Name:          n.Name,
			Labels:        n.Labels,
			Taints:        n.Spec.Taints,
			Unschedulable: n.Spec.Unschedulable,
			Ready:         conditionIs(n, corev1.NodeReady),
			DiskPressure:  conditionIs(n, corev1.NodeDiskPressure),
			OS:            firstNonEmpty(n.Status.NodeInfo.OperatingSystem, n.Labels[corev1.LabelOSStable]),
			Architecture:  firstNonEmpty(n.Status.NodeInfo.Architecture, n.Labels[corev1.LabelArchStable]),
			Allocatable:   placement.ResourcesOf(n.Status.Allocatable),
		},
		UID:                   n.UID,
		BootID:                n.Status.NodeInfo.BootID,
		Runtime:               imagesize.RuntimeOf(n.Status.NodeInfo.ContainerRuntimeVersion),
		EphemeralStorageBytes: max(0, placement.ValueOf(*n.Status.Capacity.StorageEphemeral())),
		Images:                listedImages(n.Status.Images),
	}
}

// listedImages keeps the difference between no list and an empty one. Sizes below zero, which no kubelet sends, count
// as zero.
func listedImages(images []corev1.ContainerImage) []ledger.ListedImage {
	if images == nil {
		return nil
	}
	listed := make([]ledger.ListedImage, 0, len(images))
	for _, image := range images {
		listed = append(listed, ledger.ListedImage{
			Refs:          imageref.OfStatusNames(image.Names),
			NameCount:     len(image.Names),
			ReportedBytes: max(0, image.SizeBytes),
		})
	}
	return listed
}

// conditionIs reports whether a condition is True. Absent and Unknown count as not.
func conditionIs(n *corev1.Node, kind corev1.NodeConditionType) bool {
	for i := range n.Status.Conditions {
		if n.Status.Conditions[i].Type == kind {
			return n.Status.Conditions[i].Status == corev1.ConditionTrue
		}
	}
	return false
}

func firstNonEmpty(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
