// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"net/http"

	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/headroom-dev/headroom/fit"
	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/policy"
)

// fallbackMessage is shown should a decision come without a sentence.
const fallbackMessage = "image storage: the pod's images do not fit on any eligible node"

// subject is what a decision is about.
type subject struct {
	// kind is the object's. The request's may be that of a subresource.
	kind   schema.GroupVersionKind
	object metav1.Object
	// images are those that were judged.
	images []imageref.Image
	// refusable is set for what may be refused at all, unread where nobody reads the warnings of the request.
	refusable, unread bool
}

// decided turns a decision into a response. What is refused gets no warning: the refusal says it already.
func (h *Handler) decided(req *admissionv1.AdmissionRequest, about subject, d fit.Decision) outcome {
	switch d.Reason {
	case fit.ExemptPod:
		o := exempt(req, exemptionOf(d.Exemption))
		o.response.AuditAnnotations[policyKey] = policyText(d.Mode, d.PolicyVersion)
		return o
	case fit.ModeOff:
		o := exempt(req, SwitchedOff)
		o.response.AuditAnnotations[policyKey] = policyText(d.Mode, d.PolicyVersion)
		return o
	default:
	}
	asked := d.Action
	d.Action = heldToMode(d, about.refusable)
	if asked != d.Action {
		d.Reason = Inconsistent
	}
	response := admit(req, annotationsOf(d))
	switch d.Action {
	case fit.Deny:
		response.Allowed = false
		response.Result = refusal(req, about.object, d)
	case fit.Warn:
		if !about.unread {
			response.Warnings = []string{sentence(d)}
		}
	case fit.Allow:
	default:
	}
	o := outcome{response: response, decision: &d}
	if d.Action != fit.Allow {
		o.notice = noticeOf(req, about, d)
	}
	return o
}

// heldToMode is d's action unless d's own mode or verdict, or what it is about, does not allow for it. A sound Evaluator never
// makes such a decision; that a mistake there can't refuse anything is worth the second look.
func heldToMode(d fit.Decision, refusable bool) fit.Action {
	grounds := d.Verdict.Severity() > 0
	switch {
	case d.Action == fit.Deny && d.Mode == policy.Enforce && grounds && refusable:
		return fit.Deny
	case d.Action == fit.Deny && d.Mode == policy.Enforce && grounds, d.Action == fit.Warn && d.Mode.AtLeast(policy.Warn) && grounds:
		return fit.Warn
	default:
		return fit.Allow
	}
}

// refusal is what the user reads: kubectl prints the message, programs find the reason code in details.causes. Kind is the
// resource's name, as in every Forbidden of the API server (apierrors.NewForbidden).
func refusal(req *admissionv1.AdmissionRequest, object metav1.Object, d fit.Decision) *metav1.Status {
	name := req.Name
	for _, other := range []string{object.GetName(), object.GetGenerateName()} {
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
			Name: name, Kind: req.Resource.Resource, UID: object.GetUID(),
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
		h.Metrics.decided(h.webhook, *d)
		if log := h.Log.V(verbosity(d.Action)); log.Enabled() {
			log.Info("Judged a request", append(h.about(req), "action", d.Action, "verdict", d.Verdict, "mode", d.Mode, "reason", d.Reason, "message", d.Message)...)
		}
	case o.steering != nil:
		h.countBinding(req, o)
	case o.exemption != "":
		h.Metrics.exempted(h.webhook, o.exemption)
	case o.setting != "":
		h.Metrics.set(o.setting, o.response.Allowed)
		h.Log.V(1).Info("Judged what an admin set", "setting", o.setting, "name", oneLine(req.Name), "requestUID", req.UID, "dryRun", isDryRun(req),
			"annotations", o.response.AuditAnnotations)
	default:
		h.Metrics.undecided(h.webhook, o.why)
		if h.webhook == bindingsLabel {
			h.Metrics.bound(bindingUndecided)
		}
		if log := h.Log.V(h.unjudgedVerbosity(o.why)); log.Enabled() {
			log.Info("Admitted without judging", append(h.about(req), "reason", o.why, "detail", oneLine(o.err.Error()))...)
		}
	}
}

// about is what log lines begin with. Not all that comes here has been validated: a binding is asked about before.
func (h *Handler) about(req *admissionv1.AdmissionRequest) []any {
	return []any{
		"webhook", h.webhook, "kind", oneLine(req.Kind.Kind), "namespace", oneLine(req.Namespace), "name", oneLine(req.Name), "requestUID", req.UID,
	}
}

// unjudgedVerbosity keeps what happens all the time, such as an autoscaler that wakes something up, out of the log, and of
// what does not all but one a minute.
func (h *Handler) unjudgedVerbosity(why fit.Reason) int {
	if why == UnknownTemplate || h.said.lately(string(why), h.Clock.Now()) {
		return 1
	}
	return 0
}

func verbosity(a fit.Action) int {
	if a == fit.Allow {
		return 2
	}
	return 1
}
