// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"context"
	"fmt"
	"slices"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utiljson "k8s.io/apimachinery/pkg/util/json"

	"github.com/headroom-dev/headroom/fit"
	"github.com/headroom-dev/headroom/placement"
	"github.com/headroom-dev/headroom/workload"
)

// harmlessSubresources are those of pods that bring no image to a node. Any other one, such as ephemeralcontainers, is taken
// for one through which a pod can be changed, as Pod Security Admission does: of those to come, nobody knows better.
func harmlessSubresources() []string {
	return []string{"attach", "binding", "eviction", "exec", "log", "portforward", "proxy", "resize", "status"}
}

// reviewPod judges a request about a pod.
func (h *Handler) reviewPod(ctx context.Context, in *incoming, waitUntil time.Time) outcome {
	req := in.AdmissionRequest
	h = h.sourced(ctx)
	if o := passedOver(req); o != nil {
		return *o
	}
	pod, old, o := readPods(in)
	if o != nil {
		return *o
	}
	r := h.requestOf(req, pod)
	if pod.Spec.NodeName != "" && pod.Spec.NodeName == old.Spec.NodeName {
		r.Placement = thereAlready(pod.Spec.NodeName)
	}
	d, err := h.decide(ctx, r, isDryRun(req), waitUntil)
	if err != nil {
		return undecided(req, TimedOut, err)
	}
	created := req.Operation == admissionv1.Create
	// The controller that makes a pod would only log the warning, once per replica. Whoever changes one later is somebody else.
	unread := created && metav1.GetControllerOfNoCopy(pod) != nil
	decided := h.decided(req, subject{kind: schema.GroupVersionKind(req.Kind), object: pod, images: r.Images, refusable: true, unread: unread}, d)
	if h.Admitted != nil && created && decided.response.Allowed && !isDryRun(req) {
		h.Admitted(pod.UID)
	}
	return decided
}

// passedOver is the answer to a request that is not about a pod's images, nil for one that may be.
func passedOver(req *admissionv1.AdmissionRequest) *outcome {
	isPod := req.Resource == (metav1.GroupVersionResource{Version: "v1", Resource: "pods"})
	switch {
	case isPod && slices.Contains(harmlessSubresources(), req.SubResource):
		return new(exempt(req, HarmlessSubresource))
	case !isPod || req.Kind != (metav1.GroupVersionKind{Version: "v1", Kind: "Pod"}),
		req.Operation != admissionv1.Create && req.Operation != admissionv1.Update:
		return new(unexpected(req))
	default:
		return nil
	}
}

// unmade is what a pod was before it is made. Nobody writes to it.
var unmade corev1.Pod

// readPods returns the pod, and what it was before: an empty one where it is made. Where there is nothing to judge, it returns
// the answer instead.
func readPods(in *incoming) (pod, old *corev1.Pod, answer *outcome) {
	req := in.AdmissionRequest
	pod, err := podIn(in.pod, req.Object.Raw)
	if err != nil {
		return nil, nil, new(undecided(req, Undecodable, fmt.Errorf("the pod can't be decoded: %w", err)))
	}
	// A kubelet makes mirror pods of pods that run already: refusing one would only hide it.
	if _, mirror := pod.Annotations[corev1.MirrorPodAnnotationKey]; mirror {
		return nil, nil, new(exempt(req, MirrorPod))
	}
	if req.Operation == admissionv1.Create {
		return pod, &unmade, nil
	}
	if old, err = podIn(in.oldPod, req.OldObject.Raw); err != nil {
		return nil, nil, new(undecided(req, Undecodable, fmt.Errorf("the pod as it was can't be decoded: %w", err)))
	}
	if !changesImagesOrNode(pod, old) {
		return nil, nil, new(exempt(req, Unchanged))
	}
	return pod, old, nil
}

// podIn is the pod that raw holds: what has been read of it, if it has.
func podIn(read *corev1.Pod, raw []byte) (*corev1.Pod, error) {
	if read != nil {
		return read, nil
	}
	var typed corev1.Pod
	return &typed, utiljson.Unmarshal(raw, &typed)
}

func (h *Handler) requestOf(req *admissionv1.AdmissionRequest, pod *corev1.Pod) fit.Request {
	// The request names the namespace that counts; in the object it may be missing.
	if req.Namespace != "" {
		pod.Namespace = req.Namespace
	}
	r := fit.RequestOf(pod)
	r.NamespaceMode = h.modeOf(pod.Namespace)
	return r
}

// modeOf is the value of the label headroom.dev/mode of a namespace.
func (h *Handler) modeOf(namespace string) string {
	if h.NamespaceMode == nil {
		return ""
	}
	return h.NamespaceMode(namespace)
}

// changesImagesOrNode reports whether an update changes what a pod pulls or where, or lets it be scheduled.
func changesImagesOrNode(pod, old *corev1.Pod) bool {
	return !workload.SameImages(&pod.Spec, &old.Spec) ||
		pod.Spec.NodeName != old.Spec.NodeName ||
		len(pod.Spec.SchedulingGates) == 0 && len(old.Spec.SchedulingGates) > 0
}

// thereAlready is the placement of a pod that is on its node: no taint and no want of room keeps it from there.
func thereAlready(node string) *placement.Constraints {
	return placement.Of(&corev1.PodSpec{NodeName: node, Tolerations: []corev1.Toleration{{Operator: corev1.TolerationOpExists}}})
}

// unexpected is the answer to a request that no rule of ours asks for.
func unexpected(req *admissionv1.AdmissionRequest) outcome {
	return undecided(req, Unexpected, fmt.Errorf("%s of %s %q is not judged here: the webhook's rules ask for more than they should",
		req.Operation, req.Resource.Resource, req.SubResource))
}
