// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// progressOf reads one container status. A container that has an imageID, or that has ever started, has its image on the
// node.
//
// Its start is the earliest that the status still knows: a container that crashes and starts again brings no new bytes,
// and must not make its image look freshly pulled at each start.
func progressOf(s *corev1.ContainerStatus, ids *imageIDs) progress {
	var result progress
	if ref, ok := ids.parse(s.ImageID); ok {
		result.imageID = ref
	}
	for _, state := range []*corev1.ContainerState{&s.State, &s.LastTerminationState} {
		if state.Running != nil {
			result.startAt(state.Running.StartedAt)
		}
		if state.Terminated != nil {
			result.startAt(state.Terminated.StartedAt)
		}
	}
	result.pulled = s.ImageID != "" || !result.started.IsZero()
	result.failing = s.State.Waiting != nil && imageError(s.State.Waiting.Reason)
	return result
}

// startAt takes a start into account. The kubelet writes the Unix epoch for a container that was created and never
// started.
func (p *progress) startAt(t metav1.Time) {
	if t.IsZero() || t.Unix() <= 0 {
		return
	}
	p.started = earliest(p.started, t.Time)
}

// merge adds what another container that uses the same image tells. The image came with the first of them.
func (p *progress) merge(o progress) {
	if p.imageID.IsZero() {
		p.imageID = o.imageID
	}
	p.pulled = p.pulled || o.pulled
	p.failing = p.failing || o.failing
	p.started = earliest(p.started, o.started)
}

// earliest returns the earlier of two times of which the zero one is no time.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// imageError reports whether a waiting reason says that the image can't be had: the errors of
// k8s.io/kubernetes/pkg/kubelet/images/types.go.
func imageError(reason string) bool {
	switch reason {
	case "ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "RegistryUnavailable",
		"ImageInspectError", "SignatureValidationFailed":
		return true
	default:
		return false
	}
}
