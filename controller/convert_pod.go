// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/ledger"
	"github.com/headroom-dev/headroom/placement"
)

// PodOf returns the ledger's row for a Pod object. Images whose names no runtime could parse are left out: nothing is
// ever pulled for them.
func PodOf(p *corev1.Pod) ledger.Pod {
	return rowOf(p, knownOf(&p.Spec), nil)
}

// specKnown is what follows from a pod's spec alone.
type specKnown struct {
	images   *joint
	requests placement.Resources
	// constraints are nil until somebody asks for them.
	constraints *placement.Constraints
}

func knownOf(spec *corev1.PodSpec) *specKnown {
	return &specKnown{images: jointOf(spec), requests: placement.RequestsOf(spec)}
}

// rowOf is PodOf for a pod of whose spec some things are known; ids may be nil.
func rowOf(p *corev1.Pod, known *specKnown, ids *imageIDs) ledger.Pod {
	row := ledger.Pod{
		UID:               p.UID,
		Namespace:         p.Namespace,
		Name:              p.Name,
		NodeName:          p.Spec.NodeName,
		NominatedNodeName: p.Status.NominatedNodeName,
		Finished:          finished(p),
		Deleting:          p.DeletionTimestamp != nil,
		Requests:          known.requests,
		Images:            known.images.with(&p.Status, ids),
		MoreImages:        known.images.more,
	}
	if !p.CreationTimestamp.IsZero() {
		row.CreatedUnixSeconds = p.CreationTimestamp.Unix()
	}
	if row.NodeName == "" {
		if known.constraints == nil {
			known.constraints = placement.Of(&p.Spec)
		}
		row.Placement, row.PriorityClass, row.Labels = known.constraints, p.Spec.PriorityClassName, p.Labels
		// The gates themselves and not the condition's reason SchedulingGated, which stays for a moment after the last one
		// is gone.
		row.Gated = len(p.Spec.SchedulingGates) > 0
		row.Unschedulable = unschedulable(p)
	}
	return row
}

func finished(p *corev1.Pod) bool {
	return p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed
}

// maxPodImages is how many of a pod's images the ledger is told of: more than pods have that do something. Each costs time
// for every pod that is judged, and a pod can name tens of thousands.
const maxPodImages = 64

func unschedulable(p *corev1.Pod) bool {
	for i := range p.Status.Conditions {
		if c := &p.Status.Conditions[i]; c.Type == corev1.PodScheduled {
			return c.Status == corev1.ConditionFalse && c.Reason == corev1.PodReasonUnschedulable
		}
	}
	return false
}

// progress is how far a node is with one image, from the statuses of the containers that use it.
type progress struct {
	imageID imageref.Ref
	pulled  bool
	started time.Time
	failing bool
}

// mountedImages returns, by volume, the digests that the kubelet mounted, where it tells (gate ImageVolumeWithDigest).
func mountedImages(status *corev1.PodStatus) map[string]imageref.Ref {
	images := map[string]imageref.Ref{}
	for _, statuses := range [][]corev1.ContainerStatus{
		status.InitContainerStatuses, status.ContainerStatuses, status.EphemeralContainerStatuses,
	} {
		for i := range statuses {
			for j := range statuses[i].VolumeMounts {
				mount := &statuses[i].VolumeMounts[j]
				if mount.VolumeStatus == nil || mount.VolumeStatus.Image == nil {
					continue
				}
				if _, known := images[mount.Name]; known {
					continue
				}
				if ref, ok := imageref.ParseImageID(mount.VolumeStatus.Image.ImageRef); ok {
					images[mount.Name] = ref
				}
			}
		}
	}
	return images
}
