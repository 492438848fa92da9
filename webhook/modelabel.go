// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"context"
	"strings"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/headroom-dev/headroom/fit"
	"github.com/headroom-dev/headroom/policy"
)

// labelPrefix is of all labels that are ours.
const labelPrefix = "headroom.dev/"

// reviewNamespace judges labels of ours that a namespace gets or loses. What a label was already is nobody's mistake now: a
// namespace whose label means nothing can be updated, and deleted, like any other.
func (h *policyReviewer) reviewNamespace(ctx context.Context, req *admissionv1.AdmissionRequest, until time.Time) outcome {
	after, before, err := afterAndBefore[metav1.PartialObjectMetadata](req)
	if err != nil {
		return undecided(req, Undecodable, err)
	}
	set := ours(before.Labels, after.Labels)
	if value, changed := set[policy.ModeLabel]; changed {
		if err := policy.CheckModeLabel(value); err != nil {
			return h.refused(req, namespaceSetting, err.Error(), []metav1.StatusCause{{
				Type: metav1.CauseTypeFieldValueNotSupported, Message: oneLine(err.Error()), Field: "metadata.labels[" + policy.ModeLabel + "]",
			}})
		}
	}
	p := h.cluster.Policy()
	_, exempt := p.Exempt(after.Name, "")
	exempt = exempt || neverJudged(after.Name)
	notes := fit.LabelNotes(p, after.Name, exempt, set)
	if exempt || req.Operation != admissionv1.Update {
		return h.admitted(req, namespaceSetting, notes, fit.WhatIf{})
	}
	return h.admitted(req, namespaceSetting, notes, h.lookAtLabel(ctx, after.Name, before.Labels[policy.ModeLabel], after.Labels[policy.ModeLabel], until))
}

// ours returns the labels of ours that are other ones in after than in before.
func ours(before, after map[string]string) map[string]string {
	set := map[string]string{}
	for key, value := range after {
		if was, had := before[key]; strings.HasPrefix(key, labelPrefix) && (!had || was != value) {
			set[key] = value
		}
	}
	return set
}

// lookAtLabel says what another value of the label of a namespace would change.
func (h *policyReviewer) lookAtLabel(ctx context.Context, namespace, before, after string, until time.Time) fit.WhatIf {
	p := h.cluster.Policy()
	is, _ := p.ModeFor(before)
	will, _ := p.ModeFor(after)
	if !will.StricterThan(is) || !will.AtLeast(policy.Warn) {
		return fit.WhatIf{}
	}
	wish := func(value string) rules { return rules{p, func(string) string { return value }} }
	return h.look(ctx, namespace, wish(before), wish(after), until)
}
