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
	row := ledger.Pod{
		UID:               p.UID,
		Namespace:         p.Namespace,
		Name:              p.Name,
		NodeName:          p.Spec.NodeName,
		NominatedNodeName: p.Status.NominatedNodeName,
		Finished:          finished(p),
		Deleting:          p.DeletionTimestamp != nil,
		Requests:          placement.RequestsOf(&p.Spec),
	}
	row.Images, row.MoreImages = podImages(p)
	if row.NodeName == "" {
		row.Placement, row.PriorityClass, row.Labels = placement.Of(&p.Spec), p.Spec.PriorityClassName, p.Labels
		// The gates themselves and not the condition's reason SchedulingGated, which stays for a moment after the last one
		// is gone.
		row.Gated = len(p.Spec.SchedulingGates) > 0
		row.Unschedulable = unschedulable(p)
		if !p.CreationTimestamp.IsZero() {
			row.CreatedUnixSeconds = p.CreationTimestamp.Unix()
		}
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

// podImages joins the images of a spec with the statuses of the containers that use them. They are joined by the
// container's name: the image that a status names is the runtime's choice among all names of the same image. more says that
// there are some that are left out.
func podImages(p *corev1.Pod) (rows []ledger.PodImage, more bool) {
	images, _ := imageref.OfPod(&p.Spec)
	if len(images) == 0 {
		return nil, false
	}
	more = len(images) > maxPodImages
	images = images[:min(len(images), maxPodImages)]
	seen := make(map[imageref.Ref]*progress, len(images))
	pod := progress{}
	for _, join := range []struct {
		images   map[string]string // by container
		statuses []corev1.ContainerStatus
	}{
		{containerImage(p.Spec.InitContainers), p.Status.InitContainerStatuses},
		{containerImage(p.Spec.Containers), p.Status.ContainerStatuses},
		{ephemeralImage(p.Spec.EphemeralContainers), p.Status.EphemeralContainerStatuses},
	} {
		for i := range join.statuses {
			status := progressOf(&join.statuses[i])
			pod.merge(status)
			if ref, err := imageref.Parse(join.images[join.statuses[i].Name]); err == nil {
				entry(seen, ref).merge(status)
			}
		}
	}
	volumes(p, &pod, seen)

	rows = make([]ledger.PodImage, 0, len(images))
	for _, image := range images {
		row := ledger.PodImage{Ref: image.Ref, PullPolicy: image.PullPolicy}
		if s := seen[image.Ref]; s != nil {
			row.ImageID, row.Pulled, row.StartedAt, row.Failing = s.imageID, s.pulled, s.started, s.failing
		}
		rows = append(rows, row)
	}
	return rows, more
}

// volumes adds what is known about image volumes: the kubelet pulls all of them before the first container of the pod
// (kuberuntime_manager.getImageVolumes), so any container that started proves that they are there.
func volumes(p *corev1.Pod, pod *progress, seen map[imageref.Ref]*progress) {
	var mounted map[string]imageref.Ref
	for i := range p.Spec.Volumes {
		if p.Spec.Volumes[i].Image == nil {
			continue
		}
		ref, err := imageref.Parse(p.Spec.Volumes[i].Image.Reference)
		if err != nil {
			continue
		}
		if mounted == nil {
			mounted = mountedImages(p)
		}
		entry(seen, ref).merge(progress{
			imageID: mounted[p.Spec.Volumes[i].Name],
			pulled:  pod.pulled,
			started: pod.started,
			// A volume that can't be pulled shows as a waiting container, and which of them it is nobody says. So a pod
			// that has started nothing, and fails, counts as failing on its volumes too.
			failing: pod.failing && !pod.pulled,
		})
	}
}

// mountedImages returns, by volume, the digests that the kubelet mounted, where it tells (gate ImageVolumeWithDigest).
func mountedImages(p *corev1.Pod) map[string]imageref.Ref {
	images := map[string]imageref.Ref{}
	for _, statuses := range [][]corev1.ContainerStatus{
		p.Status.InitContainerStatuses, p.Status.ContainerStatuses, p.Status.EphemeralContainerStatuses,
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

func entry(seen map[imageref.Ref]*progress, ref imageref.Ref) *progress {
	if seen[ref] == nil {
		seen[ref] = &progress{}
	}
	return seen[ref]
}

func containerImage(containers []corev1.Container) map[string]string {
	images := make(map[string]string, len(containers))
	for i := range containers {
		images[containers[i].Name] = containers[i].Image
	}
	return images
}

func ephemeralImage(containers []corev1.EphemeralContainer) map[string]string {
	images := make(map[string]string, len(containers))
	for i := range containers {
		images[containers[i].Name] = containers[i].Image
	}
	return images
}
