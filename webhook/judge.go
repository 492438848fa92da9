// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"context"
	"errors"
	"fmt"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	utiljson "k8s.io/apimachinery/pkg/util/json"

	"github.com/headroom-dev/headroom/fit"
	"github.com/headroom-dev/headroom/policy"
)

// outcome is what became of a request: exactly one of decision, exemption and why is set.
type outcome struct {
	response *admissionv1.AdmissionResponse
	decision *fit.Decision
	// exemption is why the pod was not judged.
	exemption Exemption
	// why there is no decision, and what happened.
	why fit.Reason
	err error
}

// judge decides on one request. It never panics; where it can't decide, it admits.
func (h *Handler) judge(ctx context.Context, req *admissionv1.AdmissionRequest, version string, waitUntil time.Time) (o outcome) {
	defer func() {
		if p := recover(); p != nil {
			h.panicked(p)
			o = undecided(req, Panicked, fmt.Errorf("panic: %v", p))
		}
	}()
	if version != admissionv1.SchemeGroupVersion.String() {
		return undecided(req, UnknownVersion, fmt.Errorf("the AdmissionReview's apiVersion is %q: only %s is known", version, admissionv1.SchemeGroupVersion))
	}
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
	return h.decided(req, &pod, d)
}

// decide evaluates r, and once more if the size of an image arrives that could turn the answer into a refusal.
func (h *Handler) decide(ctx context.Context, r fit.Request, dryRun bool, waitUntil time.Time) (fit.Decision, error) {
	d, err := h.evaluate(ctx, r)
	if err != nil || dryRun {
		return d, err
	}
	if h.Want != nil && len(d.Unsized) > 0 {
		h.Want(d.Unsized)
	}
	if d.Mode != policy.Enforce || len(d.WaitFor) == 0 || h.Sizes == nil || h.SizeWait <= 0 {
		return d, nil
	}
	if until := h.Clock.Now().Add(h.SizeWait); until.Before(waitUntil) {
		waitUntil = until
	}
	waiting, cancel := context.WithDeadline(ctx, waitUntil)
	defer cancel()
	if !h.Sizes.Wait(waiting, d.WaitFor) {
		if waiting.Err() != nil {
			h.Metrics.waited(waitTimedOut)
		} else {
			h.Metrics.waited(waitRefused)
		}
		return d, nil
	}
	h.Metrics.waited(waitAnswered)
	return h.evaluate(ctx, r)
}

var errBusy = errors.New("no processor was free to decide in time")

func (h *Handler) evaluate(ctx context.Context, r fit.Request) (fit.Decision, error) {
	select {
	case h.slots <- struct{}{}:
	case <-ctx.Done():
		return fit.Decision{}, errBusy
	}
	defer func() { <-h.slots }()
	start := h.Clock.Now()
	d := h.Evaluator.Evaluate(r)
	h.Metrics.duration.Observe(h.Clock.Since(start).Seconds())
	return d, nil
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

func isDryRun(req *admissionv1.AdmissionRequest) bool { return req.DryRun != nil && *req.DryRun }
