// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"context"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
)

// NewBindings returns a handler for the webhook bindings.headroom.dev.
func NewBindings(o HandlerOptions) *Handler {
	h := newHandler(o)
	h.webhook, h.review = bindingsLabel, h.reviewBinding
	return h
}

func (h *Handler) reviewBinding(_ context.Context, req *admissionv1.AdmissionRequest, _ time.Time) outcome {
	return exempt(req, SwitchedOff)
}
