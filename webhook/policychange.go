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
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utiljson "k8s.io/apimachinery/pkg/util/json"

	"github.com/headroom-dev/headroom/fit"
	"github.com/headroom-dev/headroom/policy"
)

// NewPolicy returns a handler for the webhook policy.headroom.dev: what admins set. A policy or label that means nothing is
// refused; of a valid one is said what it would change. What is in force already never keeps anybody from mending it.
func NewPolicy(o HandlerOptions, c Cluster) *Handler {
	h := newHandler(o)
	h.webhook = policyLabel
	h.review = (&policyReviewer{Handler: h, cluster: c, looking: make(chan struct{}, 1)}).reviewSetting
	return h
}

// policyReviewer judges what admins set.
type policyReviewer struct {
	*Handler
	cluster Cluster
	// looking holds the one look that may be under way.
	looking chan struct{}
}

// sourced is the reviewer that judges the review.
func (h *policyReviewer) sourced(ctx context.Context) *policyReviewer {
	s := sourcesOf(ctx)
	if s == nil {
		return h
	}
	return &policyReviewer{Handler: h.Handler.sourced(ctx), cluster: s.Cluster, looking: h.looking}
}

// now is what the dates of a policy are held against.
func (h *policyReviewer) now() time.Time {
	if h.cluster.Now != nil {
		return h.cluster.Now()
	}
	return h.Clock.Now()
}

// reviewSetting judges a request about the policy's ConfigMap or a Namespace.
func (h *policyReviewer) reviewSetting(ctx context.Context, in *incoming, until time.Time) outcome {
	req := in.AdmissionRequest
	h = h.sourced(ctx)
	core := req.Resource.Group == "" && req.Resource.Version == "v1" && req.SubResource == ""
	switch {
	case core && req.Resource.Resource == "configmaps" && req.Namespace == policy.Namespace && settingName(req) == policy.ConfigMapName:
		return h.reviewPolicy(ctx, req, until)
	case core && req.Resource.Resource == "namespaces" && req.Operation != admissionv1.Delete:
		return h.reviewNamespace(ctx, req, until)
	default:
		return unexpected(req)
	}
}

// settingName is the object's name. Who deletes a whole collection names none of its objects.
func settingName(req *admissionv1.AdmissionRequest) string {
	if req.Name != "" || req.Operation != admissionv1.Delete {
		return req.Name
	}
	var gone metav1.PartialObjectMetadata
	if err := utiljson.Unmarshal(req.OldObject.Raw, &gone); err != nil {
		return ""
	}
	return gone.Name
}

// reviewPolicy judges what becomes of the policy.
func (h *policyReviewer) reviewPolicy(ctx context.Context, req *admissionv1.AdmissionRequest, until time.Time) outcome {
	if req.Operation == admissionv1.Delete {
		p := policy.Default()
		return h.admitted(req, policySetting, []string{fit.NoPolicyNote(p)}, h.lookAtPolicy(ctx, p, until))
	}
	after, before, err := afterAndBefore[corev1.ConfigMap](req)
	if err != nil {
		return undecided(req, Undecodable, err)
	}
	p, notes, err := policy.LoadConfigMap(after.Data, true)
	same := req.Operation == admissionv1.Update && policy.SameText(before.Data, after.Data)
	switch {
	case same && err != nil:
		// Whoever changes a label, or lets the ConfigMap go, is not who has to mend it.
		return h.admitted(req, policySetting, []string{fit.StillInvalidNote(err)}, fit.WhatIf{})
	case same:
		return h.admitted(req, policySetting, nil, fit.WhatIf{})
	case err != nil:
		return h.refused(req, policySetting, "policy not valid: "+err.Error(), policyCauses(err))
	default:
		return h.admitted(req, policySetting, append(notes, fit.PolicyNotes(p, h.now())...), h.lookAtPolicy(ctx, p, until))
	}
}

// lookAtPolicy says what p would change where it took the place of the policy in force.
func (h *policyReviewer) lookAtPolicy(ctx context.Context, p *policy.Policy, until time.Time) fit.WhatIf {
	inForce := h.cluster.Policy()
	if policy.Same(p, inForce) {
		return fit.WhatIf{}
	}
	return h.look(ctx, "", rules{inForce, h.modeOf}, rules{p, h.modeOf}, until)
}

// policyCauses are the mistakes of a policy for programs, by field of its text.
func policyCauses(err error) []metav1.StatusCause {
	invalid, listed := errors.AsType[*policy.InvalidError](err)
	if !listed {
		return []metav1.StatusCause{{Type: metav1.CauseTypeFieldValueInvalid, Message: oneLine(err.Error()), Field: policyField}}
	}
	var causes []metav1.StatusCause
	for _, m := range invalid.Mistakes[:min(len(invalid.Mistakes), maxCauses)] {
		causes = append(causes, metav1.StatusCause{
			Type: metav1.CauseType(m.Err.Type), Field: policyField + " " + oneLine(m.Err.Field),
			Message: oneLine(fmt.Sprintf("line %d: %s", m.Line, m.Err.ErrorBody())),
		})
	}
	return causes
}
