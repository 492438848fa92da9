// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/headroom-dev/headroom/controller"
	"github.com/headroom-dev/headroom/fit"
	"github.com/headroom-dev/headroom/verdict"
	"github.com/headroom-dev/headroom/webhook"
)

func TestNoticeOf(t *testing.T) {
	owner := &metav1.OwnerReference{Kind: "ReplicaSet", UID: "rs"}
	said := webhook.Notice{
		APIVersion: "v1", Kind: "Pod", Namespace: "team-a", Name: "web", UID: "1", Controller: owner,
		Verdict: verdict.FillsDisk, Images: "images", Message: "sentence",
	}
	want := controller.Notice{
		About:      corev1.ObjectReference{APIVersion: "v1", Kind: "Pod", Namespace: "team-a", Name: "web", UID: "1"},
		Controller: owner, Verdict: verdict.FillsDisk, Images: "images", Message: "sentence",
	}
	for name, tc := range map[string]struct {
		operation                 admissionv1.Operation
		subResource               string
		action                    fit.Action
		exists, debugged, refused bool
	}{
		"a creation that is warned about": {admissionv1.Create, "", fit.Warn, false, false, false},
		"a creation that is refused":      {admissionv1.Create, "", fit.Deny, false, false, true},
		"a change":                        {admissionv1.Update, "", fit.Warn, true, false, false},
		"kubectl debug":                   {admissionv1.Update, "ephemeralcontainers", fit.Deny, true, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			said.Operation, said.SubResource, said.Action = tc.operation, tc.subResource, tc.action
			want.Exists, want.Debugged, want.Refused = tc.exists, tc.debugged, tc.refused
			if diff := cmp.Diff(want, noticeOf(&said), cmpopts.IgnoreUnexported(controller.Notice{})); diff != "" {
				t.Errorf("notice (-want +got):\n%s", diff)
			}
		})
	}
}
