// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"

	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utiljson "k8s.io/apimachinery/pkg/util/json"

	"github.com/headroom-dev/headroom/fit"
	"github.com/headroom-dev/headroom/policy"
)

// Setting is what an admin has set: a label of a metric.
type Setting string

const (
	policySetting    Setting = "policy"
	namespaceSetting Setting = "namespace"
)

// policyField is where the policy's text is, for causes.
const policyField = "data[" + policy.ConfigMapKey + "]"

const (
	// maxRefusalRunes bounds a refusal: twenty mistakes need no more.
	maxRefusalRunes = 2048
	maxCauses       = 20
)

// Audit annotations of policy.headroom.dev, besides action and error:
//
//	looked      at how many workloads was looked, of how many: "12/41"; "0/?" where another change was just being looked at
//	stricter    how many of those would be refused or warned about that are not so now
const (
	lookedKey   = "looked"
	stricterKey = "stricter"
)

// afterAndBefore decodes the object of a request, and what it was before: the zero value where it is made.
func afterAndBefore[T any](req *admissionv1.AdmissionRequest) (after, before T, err error) {
	if err := utiljson.Unmarshal(req.Object.Raw, &after); err != nil {
		return after, before, fmt.Errorf("the %s can't be decoded: %w", req.Kind.Kind, err)
	}
	if req.Operation != admissionv1.Update {
		return after, before, nil
	}
	if err := utiljson.Unmarshal(req.OldObject.Raw, &before); err != nil {
		return after, before, fmt.Errorf("the %s before the update can't be decoded: %w", req.Kind.Kind, err)
	}
	return after, before, nil
}

// admitted is the answer to a setting that is valid, and what there is to say about it.
func (h *policyReviewer) admitted(req *admissionv1.AdmissionRequest, setting Setting, notes []string, found fit.WhatIf) outcome {
	annotations := map[string]string{actionKey: string(fit.Allow)}
	switch {
	case found.Ended == fit.OtherLook:
		annotations[lookedKey] = "0/?"
	case found.Total > 0:
		annotations[lookedKey] = fmt.Sprintf("%d/%d", found.Looked, found.Total)
		annotations[stricterKey] = strconv.Itoa(len(found.Stricter))
	}
	response := admit(req, annotations)
	for _, warning := range slices.Concat(notes, found.Lines()) {
		response.Warnings = append(response.Warnings, oneLine(warning))
	}
	return outcome{response: response, setting: setting}
}

// refused is the answer to one that is not: an error as the API server's own validation makes them.
func (h *policyReviewer) refused(req *admissionv1.AdmissionRequest, setting Setting, message string, causes []metav1.StatusCause) outcome {
	response := admit(req, map[string]string{actionKey: string(fit.Deny), errorKey: oneLine(message)})
	response.Allowed = false
	response.Result = &metav1.Status{
		Status: metav1.StatusFailure, Code: http.StatusUnprocessableEntity, Reason: metav1.StatusReasonInvalid,
		Message: clipped(message, maxRefusalRunes),
		Details: &metav1.StatusDetails{Group: req.Kind.Group, Kind: req.Kind.Kind, Name: req.Name, Causes: causes},
	}
	return outcome{response: response, setting: setting}
}
