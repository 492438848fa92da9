// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package simnode

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/headroom-dev/headroom/test/simnode/disk"
)

// record writes the Event that the kubelet would write, and notes whose status
// has to be looked at.
func (n *Node) record(e disk.Event) {
	if e.Pod == "" {
		n.recordOfNode(e)
		return
	}
	t := n.pods[types.UID(e.Pod)]
	if t == nil {
		return
	}
	t.dirty = t.known && !t.leaving
	ref := podReference(t.pod, e.Container)
	switch e.Kind {
	case disk.ImagePulling:
		n.recorder.Event(ref, corev1.EventTypeNormal, "Pulling", e.Message)
	case disk.ImagePulled, disk.ImagePresent:
		n.recorder.Event(ref, corev1.EventTypeNormal, "Pulled", e.Message)
	case disk.ImagePullFailed:
		n.recorder.Event(ref, corev1.EventTypeWarning, "Failed", e.Message)
		n.recorder.Event(ref, corev1.EventTypeWarning, "Failed", "Error: ErrImagePull")
	case disk.ImageBackOff:
		n.recorder.Event(ref, corev1.EventTypeNormal, "BackOff", e.Message)
		n.recorder.Event(ref, corev1.EventTypeWarning, "Failed", "Error: ImagePullBackOff")
	case disk.ContainerStarted:
		n.recorder.Event(ref, corev1.EventTypeNormal, "Created", "Container created")
		n.recorder.Event(ref, corev1.EventTypeNormal, "Started", "Container started")
	case disk.PodRejected, disk.PodEvicted:
		n.recorder.Event(ref, corev1.EventTypeWarning, "Evicted", e.Message)
	default:
	}
}

func (n *Node) recordOfNode(e disk.Event) {
	switch e.Kind {
	case disk.PressureOn:
		n.recorder.Event(n.reference(), corev1.EventTypeNormal, "NodeHasDiskPressure", n.statusNow("NodeHasDiskPressure"))
	case disk.PressureOff:
		n.recorder.Event(n.reference(), corev1.EventTypeNormal, "NodeHasNoDiskPressure", n.statusNow("NodeHasNoDiskPressure"))
	case disk.ThresholdMet, disk.FreeDiskSpaceFailed, disk.ImageGCFailed:
		n.recorder.Event(n.reference(), corev1.EventTypeWarning, string(e.Kind), e.Message)
	case disk.ImageDeleted:
		n.log.V(1).Info("Image deleted", "image", e.Image, "why", e.Message, "freedBytes", e.Bytes)
	default:
	}
}

func (n *Node) statusNow(what string) string {
	return fmt.Sprintf("Node %s status is now: %s", n.spec.Name, what)
}

func (n *Node) reference() *corev1.ObjectReference {
	return &corev1.ObjectReference{APIVersion: "v1", Kind: "Node", Name: n.spec.Name, UID: n.object.UID}
}

// podReference points at a container of a pod, where the event is about one.
func podReference(pod *corev1.Pod, container string) *corev1.ObjectReference {
	ref := &corev1.ObjectReference{
		APIVersion: "v1", Kind: "Pod", Namespace: pod.Namespace, Name: pod.Name, UID: pod.UID, ResourceVersion: pod.ResourceVersion,
	}
	for _, c := range pod.Spec.InitContainers {
		if c.Name == container {
			ref.FieldPath = "spec.initContainers{" + container + "}"
		}
	}
	for _, c := range pod.Spec.Containers {
		if c.Name == container {
			ref.FieldPath = "spec.containers{" + container + "}"
		}
	}
	return ref
}

// hexID makes an identifier of 64 hexadecimal digits out of a text.
func hexID(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}
