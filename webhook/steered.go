// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"slices"

	"github.com/prometheus/client_golang/prometheus"
	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/headroom-dev/headroom/fit"
)

// Why a binding is let through that should be sent back: labels and annotations like the reasons of package fit.
const (
	LimitReached fit.Reason = "limit"     // its pod has been sent back often enough
	NotReady     fit.Reason = "not-ready" // nobody could tell how often it has been, say that it was, or put a taint on the node
	Busy         fit.Reason = "busy"      // too many nodes get a taint already
)

// What became of a binding, where no reason says it: labels.
const (
	bindingSentBack  = "sent-back"
	bindingFits      = "fits"      // the node is not too full
	bindingUndecided = "undecided" // something went wrong; undecided_total has the reason
	bindingOther     = "other"
)

// sendBackAction is what the annotation action says in place of an action of package fit.
const sendBackAction = "SendBack"

// steered turns the answer about a binding into a response.
func (h *Handler) steered(req *admissionv1.AdmissionRequest, binding *corev1.Binding, d fit.Steering) outcome {
	annotations := map[string]string{
		actionKey:  string(fit.Allow),
		nodeKey:    oneLine(binding.Target.Name),
		verdictKey: verdictLabel(d.Verdict),
		policyKey:  policyText(d.Mode, d.PolicyVersion),
	}
	if d.Target.Node != "" {
		annotations[needKey] = interval(d.Target.Need)
		annotations[projectedKey] = interval(d.Target.Projected)
		annotations[tierKey] = oneLine(string(d.Target.Account.Tier))
	}
	if d.Message != "" {
		annotations[messageKey] = oneLine(d.Message)
	}
	if d.Exception != "" {
		annotations[exceptionKey] = oneLine(d.Exception)
	}
	if d.ModeIgnored != "" {
		annotations[modeIgnoredKey] = oneLine(d.ModeIgnored)
	}
	switch d.Reason {
	case "":
	case fit.ExemptPod:
		annotations[exemptKey] = string(exemptionOf(d.Exemption))
	case fit.ModeOff:
		annotations[exemptKey] = string(SwitchedOff)
	default:
		annotations[undecidedKey] = oneLine(string(d.Reason))
	}
	response := admit(req, annotations)
	if d.SendBack {
		annotations[actionKey] = sendBackAction
		response.Allowed = false
		pod := &metav1.ObjectMeta{Name: binding.Name, UID: d.Pod}
		response.Result = refusal(req, pod, fit.Decision{Message: d.Message, CauseCode: d.CauseCode})
		details := response.Result.Details
		details.Kind, details.Causes[0].Field = "pods", "target.name" // also where the resource is bindings: the name is the pod's
	}
	return outcome{response: response, steering: &d}
}

// countBinding writes the metric and the log line of a binding that was judged.
func (h *Handler) countBinding(req *admissionv1.AdmissionRequest, o outcome) {
	d := o.steering
	verbosity, said := 2, "Let a binding through"
	if d.SendBack {
		verbosity, said = 1, "Sent a pod back to the scheduler"
	}
	h.Metrics.bound(steeringLabel(d))
	if log := h.Log.V(verbosity); log.Enabled() {
		log.Info(said, "namespace", oneLine(req.Namespace), "name", oneLine(req.Name), "node", o.response.AuditAnnotations[nodeKey], "requestUID", req.UID,
			"verdict", d.Verdict, "mode", d.Mode, "reason", d.Reason, "other", d.Other, "message", oneLine(d.Message))
	}
}

func steeringLabel(d *fit.Steering) string {
	switch {
	case d.SendBack:
		return bindingSentBack
	case d.Reason == "":
		return bindingFits
	default:
		return string(d.Reason)
	}
}

// steeringLabels are the label values of steering_bindings_total.
func steeringLabels() []string {
	all := []string{bindingSentBack, bindingFits, bindingUndecided, bindingOther, string(LimitReached), string(NotReady), string(Busy), string(Inconsistent)}
	for _, reason := range fit.SteeringReasons() {
		all = append(all, string(reason))
	}
	return all
}

func newBindingCounter(counter func(prometheus.CounterOpts, []string) *prometheus.CounterVec) *prometheus.CounterVec {
	bindings := counter(prometheus.CounterOpts{
		Namespace: metricsNamespace, Name: "steering_bindings_total",
		Help: "Bindings of pods to nodes, by outcome: sent-back, or why it was let through.",
	}, []string{"outcome"})
	for _, outcome := range steeringLabels() {
		bindings.WithLabelValues(outcome)
	}
	return bindings
}

func (m *Metrics) bound(outcome string) {
	if !slices.Contains(steeringLabels(), outcome) {
		outcome = bindingOther
	}
	m.bindings.WithLabelValues(outcome).Inc()
}
