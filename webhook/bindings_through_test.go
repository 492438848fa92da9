// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"testing"

	admissionv1 "k8s.io/api/admission/v1"

	"github.com/headroom-dev/headroom/fit"
	"github.com/headroom-dev/headroom/policy"
	"github.com/headroom-dev/headroom/verdict"
)

func TestBindingLetThrough(t *testing.T) {
	because := func(r fit.Reason) fit.Steering {
		d := tooFull
		d.SendBack, d.Reason, d.Message, d.CauseCode = false, r, "", ""
		return d
	}
	raw := func(text string) func(*admissionv1.AdmissionReview) {
		return func(r *admissionv1.AdmissionReview) { r.Request.Object.Raw = []byte(text) }
	}
	asked := func(change func(*admissionv1.AdmissionRequest)) func(*admissionv1.AdmissionReview) {
		return func(r *admissionv1.AdmissionReview) { change(r.Request) }
	}
	same := func(*admissionv1.AdmissionReview) {}
	exempt := because(fit.ExemptPod)
	exempt.Exemption = "namespace"
	excepted := because(fit.Excepted)
	excepted.Exception = "llm-move"
	modeOff, nobody, fine := tooFull, tooFull, tooFull
	modeOff.Mode, nobody.Pod, fine.Verdict = policy.Off, "", verdict.Fits
	for what, c := range map[string]struct {
		answer fit.Steering
		reason fit.Reason
		change func(*admissionv1.AdmissionReview)

		outcome    string
		annotation [2]string
	}{
		"an exception is for it":        {excepted, "", same, "excepted", [2]string{"exception", "llm-move"}},
		"it fits":                       {because(""), "", same, "fits", [2]string{"verdict", "EvictsPods"}},
		"there is no other node":        {because(fit.NoOtherNode), "", same, "no-other-node", [2]string{"undecided", "no-other-node"}},
		"the pod is not known":          {because(fit.UnknownPod), "", same, "unknown-pod", [2]string{"undecided", "unknown-pod"}},
		"the namespace is exempt":       {exempt, "", same, "exempt", [2]string{"exempt", "namespace"}},
		"steering is off":               {because(fit.ModeOff), "", same, "off", [2]string{"exempt", "off"}},
		"a reason that nobody knows of": {because("weird\n"), "", same, "other", [2]string{"undecided", "weird"}},
		"it was sent back often enough": {tooFull, LimitReached, same, "limit", [2]string{"undecided", "limit"}},
		"the counts are not known":      {tooFull, NotReady, same, "not-ready", [2]string{"undecided", "not-ready"}},
		"too many nodes":                {tooFull, Busy, same, "busy", [2]string{"undecided", "busy"}},
		"no grounds for it":             {fine, "", same, "inconsistent", [2]string{"undecided", "inconsistent"}},
		"the mode is off after all":     {modeOff, "", same, "inconsistent", [2]string{"undecided", "inconsistent"}},
		"a pod without a UID":           {nobody, "", same, "inconsistent", [2]string{"undecided", "inconsistent"}},
		"what is no binding":            {tooFull, "", raw(`{"target":7}`), "undecided", [2]string{"undecided", "undecodable"}},
		"a target that is no node":      {tooFull, "", raw(`{"target":{"kind":"Cloud","name":"x"}}`), "undecided", [2]string{"undecided", "undecodable"}},
		"a pod":                         {tooFull, "", asked(func(r *admissionv1.AdmissionRequest) { r.SubResource = "" }), "undecided", [2]string{"undecided", "unexpected-request"}},
		"another subresource":           {tooFull, "", asked(func(r *admissionv1.AdmissionRequest) { r.SubResource = "eviction" }), "undecided", [2]string{"undecided", "unexpected-request"}},
		"a binding of another group":    {tooFull, "", asked(func(r *admissionv1.AdmissionRequest) { r.Resource.Group = "x.io" }), "undecided", [2]string{"undecided", "unexpected-request"}},
		"an update":                     {tooFull, "", asked(func(r *admissionv1.AdmissionRequest) { r.Operation = admissionv1.Update }), "undecided", [2]string{"undecided", "unexpected-request"}},
		"a version of the future":       {tooFull, "", func(r *admissionv1.AdmissionReview) { r.APIVersion = "admission.k8s.io/v2" }, "undecided", [2]string{"undecided", "unknown-version"}},
	} {
		t.Run(what, func(t *testing.T) {
			s, m := &steerer{answer: c.answer, reason: c.reason}, NewMetrics(nil)
			r := postBinding(t, NewBindings(HandlerOptions{Metrics: m}, s.options()), bindingReview(t, c.change))
			if !r.Allowed {
				t.Errorf("sent back: %s", r.Result.Message)
			}
			if got := r.AuditAnnotations[c.annotation[0]]; got != c.annotation[1] || r.AuditAnnotations["action"] != "Allow" {
				t.Errorf("annotations are %v, want %s=%s", r.AuditAnnotations, c.annotation[0], c.annotation[1])
			}
			countedBinding(t, m, c.outcome)
			if c.reason == "" && len(s.backs) > 0 {
				t.Errorf("SendBack was asked: %v", s.backs)
			}
		})
	}
}
