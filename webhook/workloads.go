// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"context"
	"errors"
	"fmt"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/headroom-dev/headroom/workload"
)

// NewWorkloads returns a handler for the webhook workloads.headroom.dev.
func NewWorkloads(o HandlerOptions) *Handler {
	h := newHandler(o)
	h.webhook, h.review = workloadsLabel, h.reviewWorkload
	return h
}

// reviewWorkload judges the pods that a workload would make. It warns, and never refuses: they are judged when they come.
func (h *Handler) reviewWorkload(ctx context.Context, in *incoming, waitUntil time.Time) outcome {
	req := in.AdmissionRequest
	h = h.sourced(ctx)
	changes := req.Operation == admissionv1.Update
	switch {
	case changes && req.SubResource == scaleSubresource:
		return h.reviewScale(ctx, req, waitUntil)
	case !changes && req.Operation != admissionv1.Create, req.SubResource != "":
		return unexpected(req)
	}
	kind := schema.GroupVersionKind(req.Kind)
	custom := h.pathsOf(kind)
	w, err := workload.Decode(kind, req.Object.Raw, custom)
	switch {
	case errors.Is(err, workload.ErrUnknownKind):
		return undecided(req, UnknownKind, fmt.Errorf("nobody knows where objects of kind %s in %s have their pod template: name it in the policy's workloads",
			kind.Kind, kind.GroupVersion()))
	case errors.Is(err, workload.ErrNoTemplate):
		return exempt(req, NoTemplate)
	case err != nil:
		return undecided(req, Undecodable, fmt.Errorf("the %s can't be decoded: %w", kind.Kind, err))
	}
	if req.Namespace != "" {
		w.Meta.Namespace = req.Namespace
	}
	if changes {
		// What it was before may have had no template, or be none of ours to read: then all of it is new.
		if old, err := workload.Decode(kind, req.OldObject.Raw, custom); err == nil && h.unchanged(w, old) {
			return exempt(req, Unchanged)
		}
	}
	return h.judgeWorkload(ctx, req, kind, w, waitUntil)
}

// judgeWorkload judges the pods that w, of this kind, would make.
func (h *Handler) judgeWorkload(ctx context.Context, req *admissionv1.AdmissionRequest, kind schema.GroupVersionKind, w *workload.Workload, waitUntil time.Time) outcome {
	r := w.Request()
	r.NamespaceMode = h.modeOf(w.Meta.Namespace)
	// What a controller made, a ReplicaSet of a Deployment, say, was warned about with what that was made from.
	made := metav1.GetControllerOfNoCopy(&w.Meta) != nil
	if made {
		waitUntil = time.Time{}
	}
	d, err := h.decide(ctx, r, isDryRun(req), waitUntil)
	if err != nil {
		return undecided(req, TimedOut, err)
	}
	return h.decided(req, subject{kind: kind, object: &w.Meta, images: r.Images, unread: made}, d)
}

// unchanged reports whether an update is of no interest here.
func (h *Handler) unchanged(w, old *workload.Workload) bool {
	these, those := w.Template.Labels, old.Template.Labels
	return !w.Changed(old) && (h.TreatsAlike == nil || h.TreatsAlike(w.Meta.Namespace, these, those))
}

func (h *Handler) pathsOf(kind schema.GroupVersionKind) *workload.Paths {
	if h.Templates == nil {
		return nil
	}
	return h.Templates(kind)
}
