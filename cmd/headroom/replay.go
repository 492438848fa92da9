// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/headroom-dev/headroom/fit"
	"github.com/headroom-dev/headroom/verdict"
	"github.com/headroom-dev/headroom/webhook"
)

// judge answers the review by the moment, and says whether something is at or past denyAt. The problem is set where the
// request can't be judged, or is answered otherwise than it was.
func (s *reviewSource) judge(ctx context.Context, m *moment, replayed bool) (result checkResult, overloads bool, problem error) {
	req := s.review.Request
	answer, err := m.answer(ctx, s.review)
	if err != nil {
		return checkResult{}, false, s.document.problem(err)
	}
	said := answer.Response
	result = checkResult{
		Kind: req.Kind.Kind, Namespace: req.Namespace, Name: s.name(), Request: s.request(), Response: said,
		Verdict: verdict.Unknown, Action: fit.Action(said.AuditAnnotations["action"]), Message: sentenceOf(said),
	}
	switch {
	case answer.Decision != nil:
		d := answer.Decision
		result.Verdict, result.NeedBytes, result.Candidates, result.Message = d.Verdict, d.Need, d.Possible, d.Message
		overloads = d.Exception == "" && d.Verdict.AtLeast(m.policy.DenyAt)
	case answer.Steering != nil:
		result.Verdict, result.NeedBytes = answer.Steering.Verdict, answer.Steering.Target.Need
		overloads = answer.Steering.SendBack
	default:
		overloads = !said.Allowed
	}
	if why := said.AuditAnnotations["error"]; why != "" && said.Allowed {
		problem = s.document.problem(errors.New(why))
	}
	if was := s.review.Response; replayed && was != nil && !sameAnswer(was, said) {
		problem = s.document.problem(fmt.Errorf("it was answered otherwise: %s; now: %s", inWords(was), inWords(said)))
	}
	return result, overloads, problem
}

// name is the object's, or what the API server makes it of.
func (s *reviewSource) name() string {
	var object metav1.PartialObjectMetadata
	_ = json.Unmarshal(s.review.Request.Object.Raw, &object) // The answer says what is wrong with it.
	return cmp.Or(s.review.Request.Name, object.Name, object.GenerateName)
}

// sentenceOf is what an answer says, or why it says nothing.
func sentenceOf(r *admissionv1.AdmissionResponse) string {
	switch {
	case !r.Allowed && r.Result != nil:
		return r.Result.Message
	case len(r.Warnings) > 0:
		return strings.Join(r.Warnings, "; ")
	case r.AuditAnnotations["message"] != "":
		return r.AuditAnnotations["message"]
	case r.AuditAnnotations["exempt"] != "":
		return "not judged: " + r.AuditAnnotations["exempt"]
	case r.AuditAnnotations["error"] != "":
		return "not judged: " + r.AuditAnnotations["error"]
	default:
		return ""
	}
}

// sameAnswer compares all that an answer has.
func sameAnswer(a, b *admissionv1.AdmissionResponse) bool {
	textOf := func(r *admissionv1.AdmissionResponse) []byte {
		text, _ := json.Marshal(r) // strings and numbers: there is no error
		return text
	}
	return bytes.Equal(textOf(a), textOf(b))
}

func inWords(r *admissionv1.AdmissionResponse) string {
	return fmt.Sprintf("%s, %s, %q", r.AuditAnnotations["action"], cmp.Or(r.AuditAnnotations["verdict"], "no verdict"), sentenceOf(r))
}

// looksAtWorkloads reports whether the answer depends on what runs in the cluster besides what fills nodes.
func (s *reviewSource) looksAtWorkloads() bool {
	return webhook.PathOf(s.review.Request) == webhook.PolicyPath
}
