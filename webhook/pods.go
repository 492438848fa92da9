// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"context"
	"fmt"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	utiljson "k8s.io/apimachinery/pkg/util/json"

	"github.com/headroom-dev/headroom/fit"
)

// reviewPod judges a request about a pod.
func (h *Handler) reviewPod(ctx context.Context, req *admissionv1.AdmissionRequest, waitUntil time.Time) outcome {
	if !isPodCreation(req) {
		return undecided(req, NotAPodCreation, fmt.Errorf("%s of %s/%s is not judged: the webhook's rules should ask for CREATE of v1 pods only",
			req.Operation, req.Resource.Resource, req.SubResource))
	}
	var pod corev1.Pod
	if err := utiljson.Unmarshal(req.Object.Raw, &pod); err != nil {
		return undecided(req, Undecodable, fmt.Errorf("the pod can't be decoded: %w", err))
	}
	// A kubelet makes mirror pods of pods that run already: refusing one would only hide it.
	if _, mirror := pod.Annotations[corev1.MirrorPodAnnotationKey]; mirror {
		return exempt(req, MirrorPod)
	}
	d, err := h.decide(ctx, h.requestOf(req, &pod), isDryRun(req), waitUntil)
	if err != nil {
		return undecided(req, TimedOut, err)
	}
	o := h.decided(req, &pod, d)
	if h.Admitted != nil && o.response.Allowed && !isDryRun(req) {
		h.Admitted(pod.UID)
	}
	return o
}

func (h *Handler) requestOf(req *admissionv1.AdmissionRequest, pod *corev1.Pod) fit.Request {
	// The request names the namespace that counts; in the object it may be missing.
	if req.Namespace != "" {
		pod.Namespace = req.Namespace
	}
	r := fit.RequestOf(pod)
	if h.NamespaceMode != nil {
		r.NamespaceMode = h.NamespaceMode(pod.Namespace)
	}
	return r
}

func isPodCreation(req *admissionv1.AdmissionRequest) bool {
	return req.Operation == admissionv1.Create && req.Resource.Group == "" && req.Resource.Version == "v1" &&
		req.Resource.Resource == "pods" && req.SubResource == ""
}
