// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package decode

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	utiljson "k8s.io/apimachinery/pkg/util/json"
)

// quickPod is what is read of a pod without the typed decoder.
func quickPod(raw []byte) (*corev1.Pod, bool) {
	read, sure := quick(append(append([]byte(`{"request":{"uid":"u","object":`), raw...), "}}"...), podShape)
	return read.Object, sure && read.Object != nil
}

// needed is all of a pod that is read.
func needed(pod *corev1.Pod) *corev1.Pod {
	var p corev1.Pod
	p.Name, p.GenerateName, p.Namespace, p.UID = pod.Name, pod.GenerateName, pod.Namespace, pod.UID
	p.Labels, p.OwnerReferences = pod.Labels, pod.OwnerReferences
	if mirrored, mirror := pod.Annotations[corev1.MirrorPodAnnotationKey]; mirror {
		p.Annotations = map[string]string{corev1.MirrorPodAnnotationKey: mirrored}
	}
	spec := &pod.Spec
	p.Spec = corev1.PodSpec{
		NodeName: spec.NodeName, NodeSelector: spec.NodeSelector, Tolerations: spec.Tolerations, OS: spec.OS,
		PriorityClassName: spec.PriorityClassName, SchedulingGates: spec.SchedulingGates, Overhead: spec.Overhead,
	}
	if a := spec.Affinity; a != nil {
		p.Spec.Affinity = &corev1.Affinity{}
		if n := a.NodeAffinity; n != nil {
			p.Spec.Affinity.NodeAffinity = &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: n.RequiredDuringSchedulingIgnoredDuringExecution}
		}
	}
	if r := spec.Resources; r != nil {
		p.Spec.Resources = &corev1.ResourceRequirements{Requests: r.Requests}
	}
	for _, v := range spec.Volumes {
		p.Spec.Volumes = append(p.Spec.Volumes, corev1.Volume{VolumeSource: corev1.VolumeSource{Image: v.Image}})
	}
	for i := range spec.InitContainers {
		c := &spec.InitContainers[i]
		p.Spec.InitContainers = append(p.Spec.InitContainers, corev1.Container{
			Image: c.Image, ImagePullPolicy: c.ImagePullPolicy, RestartPolicy: c.RestartPolicy, Resources: corev1.ResourceRequirements{Requests: c.Resources.Requests},
		})
	}
	for i := range spec.Containers {
		c := &spec.Containers[i]
		p.Spec.Containers = append(p.Spec.Containers, corev1.Container{
			Image: c.Image, ImagePullPolicy: c.ImagePullPolicy, Resources: corev1.ResourceRequirements{Requests: c.Resources.Requests},
		})
	}
	for i := range spec.EphemeralContainers {
		c := &spec.EphemeralContainers[i]
		p.Spec.EphemeralContainers = append(p.Spec.EphemeralContainers, corev1.EphemeralContainer{
			EphemeralContainerCommon: corev1.EphemeralContainerCommon{Image: c.Image, ImagePullPolicy: c.ImagePullPolicy},
		})
	}
	return &p
}

// samePod holds what is read of a pod against what the typed decoder reads. It reports whether the typed decoder was spared.
func samePod(t testing.TB, raw []byte) (sure bool) {
	t.Helper()
	got, sure := quickPod(raw)
	if !sure {
		return false
	}
	var typed corev1.Pod
	if err := utiljson.Unmarshal(raw, &typed); err != nil {
		t.Fatalf("a pod was read where the typed decoder says: %v\n%s", err, raw)
	}
	if diff := cmp.Diff(needed(&typed), got, cmpopts.EquateEmpty()); diff != "" {
		t.Fatalf("pod (-typed +read):\n%s\n%s", diff, raw)
	}
	return true
}

// sameReview does so for a review.
func sameReview(t testing.TB, body []byte) (sure bool) {
	t.Helper()
	got, sure := quick(body, podShape)
	if !sure {
		return false
	}
	var typed admissionv1.AdmissionReview
	if err := utiljson.Unmarshal(body, &typed); err != nil {
		t.Fatalf("a review was read where the typed decoder says: %v\n%s", err, body)
	}
	want := Review{APIVersion: typed.APIVersion, Typed: got.Typed}
	if req := typed.Request; req != nil {
		want.Request = &admissionv1.AdmissionRequest{
			UID: req.UID, Kind: req.Kind, Resource: req.Resource, SubResource: req.SubResource, Name: req.Name, Namespace: req.Namespace,
			Operation: req.Operation, DryRun: req.DryRun, Object: req.Object, OldObject: req.OldObject,
		}
		want.Object, want.OldObject = podIn(t, req.Object.Raw, got.Object), podIn(t, req.OldObject.Raw, got.OldObject)
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Fatalf("review (-typed +read):\n%s\n%s", diff, body)
	}
	return true
}

// podIn is what should have been read of a pod that was read.
func podIn(t testing.TB, raw []byte, read *corev1.Pod) *corev1.Pod {
	t.Helper()
	if read == nil {
		return nil // it is for the typed decoder
	}
	var typed corev1.Pod
	if err := utiljson.Unmarshal(raw, &typed); err != nil {
		t.Fatalf("a pod was read where the typed decoder says: %v\n%s", err, raw)
	}
	return needed(&typed)
}
