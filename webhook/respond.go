// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"net/http"

	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/headroom-dev/headroom/fit"
	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/policy"
)

// fallbackMessage is shown should a decision come without a sentence.
const fallbackMessage = "image storage: the pod's images do not fit on any eligible node"

// decided turns a decision into a response. A refused pod gets no warning: the refusal says it already. A pod that a
// controller made gets none either: the controller would only log it, once per replica.
func (h *Handler) decided(req *admissionv1.AdmissionRequest, pod *corev1.Pod, d fit.Decision) outcome {
	switch d.Reason {
	case fit.ExemptPod:
		o := exempt(req, exemptionOf(d.Exemption))
		o.response.AuditAnnotations[policyKey] = h.policyText(d.Mode)
		return o
	case fit.ModeOff:
		o := exempt(req, SwitchedOff)
		o.response.AuditAnnotations[policyKey] = h.policyText(d.Mode)
		return o
	default:
	}
	asked := d.Action
	d.Action = heldToMode(d)
	if asked != d.Action {
		d.Reason = Inconsistent
	}
	response := admit(req, h.annotationsOf(d))
	switch d.Action {
	case fit.Deny:
		response.Allowed = false
		response.Result = refusal(req, pod, d)
	case fit.Warn:
		if metav1.GetControllerOfNoCopy(pod) == nil {
			response.Warnings = []string{sentence(d)}
		}
	case fit.Allow:
	default:
	}
	o := outcome{response: response, decision: &d}
	if d.Action != fit.Allow {
		images, _ := imageref.OfPod(&pod.Spec)
		o.notice = noticeOf(req, pod, images, d)
	}
	return o
}

// heldToMode is d's action unless d's own mode or verdict does not allow for it. A sound Evaluator never makes such a
// decision; that a mistake there can't refuse a pod is worth the second look.
func heldToMode(d fit.Decision) fit.Action {
	grounds := d.Verdict.Severity() > 0
	switch {
	case d.Action == fit.Deny && d.Mode == policy.Enforce && grounds:
		return fit.Deny
	case d.Action == fit.Warn && d.Mode.AtLeast(policy.Warn) && grounds:
		return fit.Warn
	default:
		return fit.Allow
	}
}

// refusal is what the user reads: kubectl prints the message, programs find the reason code in details.causes. Kind is the
// resource's name, as in every Forbidden of the API server (apierrors.NewForbidden).
func refusal(req *admissionv1.AdmissionRequest, pod *corev1.Pod, d fit.Decision) *metav1.Status {
	name := req.Name
	for _, other := range []string{pod.Name, pod.GenerateName} {
		if name == "" {
			name = other
		}
	}
	return &metav1.Status{
		Status:  metav1.StatusFailure,
		Code:    http.StatusForbidden,
		Reason:  metav1.StatusReasonForbidden,
		Message: sentence(d),
		Details: &metav1.StatusDetails{
			Name: name, Kind: "pods", UID: pod.UID,
			Causes: []metav1.StatusCause{{
				Type:    metav1.CauseType(oneLine(d.CauseCode)),
				Message: sentence(d),
				Field:   "spec",
			}},
		},
	}
}

func sentence(d fit.Decision) string {
	if d.Message == "" {
		return fallbackMessage
	}
	return oneLine(d.Message)
}

func admit(req *admissionv1.AdmissionRequest, annotations map[string]string) *admissionv1.AdmissionResponse {
	return &admissionv1.AdmissionResponse{UID: req.UID, Allowed: true, AuditAnnotations: annotations}
}

func undecided(req *admissionv1.AdmissionRequest, why fit.Reason, err error) outcome {
	return outcome{why: why, err: err, response: admit(req, map[string]string{
		actionKey:    string(fit.Allow),
		undecidedKey: oneLine(string(why)),
		errorKey:     oneLine(err.Error()),
	})}
}

func exempt(req *admissionv1.AdmissionRequest, e Exemption) outcome {
	return outcome{exemption: e, response: admit(req, map[string]string{
		actionKey: string(fit.Allow),
		exemptKey: string(e),
	})}
}

// count writes metrics and log lines, once per request.
func (h *Handler) count(req *admissionv1.AdmissionRequest, o outcome) {
	switch {
	case o.decision != nil:
		d := o.decision
		h.Metrics.decided(*d)
		if log := h.Log.V(verbosity(d.Action)); log.Enabled() {
			log.Info("Judged a pod", "namespace", req.Namespace, "name", req.Name, "requestUID", req.UID, "action", d.Action,
				"verdict", d.Verdict, "mode", d.Mode, "reason", d.Reason, "message", d.Message)
		}
	case o.exemption != "":
		h.Metrics.exempted(o.exemption)
	default:
		h.Metrics.undecided(o.why)
		h.Log.Info("Admitted a pod without judging it", "namespace", req.Namespace, "name", req.Name, "requestUID", req.UID,
			"reason", o.why, "detail", o.err.Error())
	}
}

func verbosity(a fit.Action) int {
	if a == fit.Allow {
		return 2
	}
	return 1
}
