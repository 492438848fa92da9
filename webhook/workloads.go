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
func (h *Handler) reviewWorkload(ctx context.Context, req *admissionv1.AdmissionRequest, waitUntil time.Time) outcome {
	h = h.sourced(ctx)
	changes := req.Operation == admissionv1.Update
	if !changes && req.Operation != admissionv1.Create || req.SubResource != "" {
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
	if changes {
		// What it was before may have had no template, or be none of ours to read: then all of it is new.
		if old, err := workload.Decode(kind, req.OldObject.Raw, custom); err == nil && !w.Changed(old) {
			return exempt(req, Unchanged)
		}
	}
	if req.Namespace != "" {
		w.Meta.Namespace = req.Namespace
	}
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
	return h.decided(req, subject{object: &w.Meta, images: r.Images, unread: made}, d)
}

func (h *Handler) pathsOf(kind schema.GroupVersionKind) *workload.Paths {
	if h.Templates == nil {
		return nil
	}
	return h.Templates(kind)
}
