// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/test/largest"
)

// mounting has each container of a pod mount each volume.
func mounting(pod *corev1.Pod) *corev1.Pod {
	var mounts []corev1.VolumeMountStatus
	for i := range pod.Spec.Volumes {
		mounts = append(mounts, corev1.VolumeMountStatus{
			Name: pod.Spec.Volumes[i].Name, VolumeStatus: &corev1.VolumeStatus{Image: &corev1.ImageVolumeStatus{ImageRef: "no digest"}},
		})
	}
	for i := range pod.Spec.Containers {
		pod.Status.ContainerStatuses = append(pod.Status.ContainerStatuses, corev1.ContainerStatus{
			Name: pod.Spec.Containers[i].Name, ImageID: "docker.io/library/app@sha256:" + digest64, VolumeMounts: mounts,
		})
	}
	return pod
}

const digest64 = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

func TestLargestPodsHaveFewImages(t *testing.T) {
	most := 0
	for kind, pod := range largest.Pods("app", largest.MaxBytes) {
		row := PodOf(mounting(pod))
		images, _ := imageref.OfPod(&pod.Spec)
		if more := len(images) > maxPodImages; row.MoreImages != more {
			t.Errorf("%s: %d images, more than the row has: %v", kind, len(images), row.MoreImages)
		}
		if most = max(most, len(row.Images)); len(row.Images) > maxPodImages {
			t.Errorf("%s: a row with %d images", kind, len(row.Images))
		}
	}
	if most != maxPodImages {
		t.Errorf("%d images at most: none of the pods has too many", most)
	}
}

// BenchmarkPodOfLargest is what each event of such a pod costs; meanwhile there are no others.
func BenchmarkPodOfLargest(b *testing.B) {
	for kind, pod := range largest.Pods("app", largest.MaxBytes) {
		mounting(pod)
		b.Run(kind, func(b *testing.B) {
			feed := newPodFeed()
			for b.Loop() {
				feed.row(pod)
			}
		})
	}
}
