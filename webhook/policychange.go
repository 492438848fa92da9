// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"context"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
)

// NewPolicy returns a handler for the webhook policy.headroom.dev.
func NewPolicy(o HandlerOptions) *Handler {
	h := newHandler(o)
	h.webhook, h.review = policyLabel, h.reviewPolicy
	return h
}

func (h *Handler) reviewPolicy(_ context.Context, req *admissionv1.AdmissionRequest, _ time.Time) outcome {
	return exempt(req, SwitchedOff)
}
