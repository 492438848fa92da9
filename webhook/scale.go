// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"context"
	"fmt"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/headroom-dev/headroom/workload"
)

// scaleSubresource is through which kubectl scale and a HorizontalPodAutoscaler say how many pods they want. It holds no
// template.
const scaleSubresource = "scale"

// scaledKinds are the kinds of the resources that have it.
var scaledKinds = map[schema.GroupVersionResource]schema.GroupVersionKind{
	appsv1.SchemeGroupVersion.WithResource("deployments"):            appsv1.SchemeGroupVersion.WithKind("Deployment"),
	appsv1.SchemeGroupVersion.WithResource("statefulsets"):           appsv1.SchemeGroupVersion.WithKind("StatefulSet"),
	appsv1.SchemeGroupVersion.WithResource("replicasets"):            appsv1.SchemeGroupVersion.WithKind("ReplicaSet"),
	corev1.SchemeGroupVersion.WithResource("replicationcontrollers"): corev1.SchemeGroupVersion.WithKind("ReplicationController"),
}

// reviewScale judges that a workload makes more pods, by the newest one that it has: what is said is what an update of the
// workload itself would be told. What the first pods of one will be like is not known here; they are judged when they come.
func (h *Handler) reviewScale(ctx context.Context, req *admissionv1.AdmissionRequest, waitUntil time.Time) outcome {
	kind, known := scaledKinds[schema.GroupVersionResource(req.Resource)]
	if !known {
		return unexpected(req)
	}
	after, before, err := afterAndBefore[autoscalingv1.Scale](req)
	if err != nil {
		return undecided(req, Undecodable, err)
	}
	if after.Spec.Replicas <= before.Spec.Replicas {
		return exempt(req, Unchanged)
	}
	after.Namespace, after.Name = req.Namespace, req.Name
	var pod *corev1.Pod
	if h.NewestPod != nil {
		// To look for it among those of a large namespace takes a processor as long as a decision does.
		err := h.inSlot(ctx, func() {
			pod = h.NewestPod(corev1.ObjectReference{
				APIVersion: kind.GroupVersion().String(), Kind: kind.Kind, Namespace: after.Namespace, Name: after.Name, UID: after.UID,
			})
		})
		if err != nil {
			return undecided(req, TimedOut, err)
		}
	}
	if pod == nil {
		return undecided(req, UnknownTemplate, fmt.Errorf("the %s has no pod that tells what more of them would be like", kind.Kind))
	}
	return h.judgeWorkload(ctx, req, kind, workload.OfPod(kind.Kind, after.ObjectMeta, int(after.Spec.Replicas), pod), waitUntil)
}
