// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"testing"

	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	utiljson "k8s.io/apimachinery/pkg/util/json"

	"github.com/headroom-dev/headroom/policy"
)

// FuzzSettings posts any text as the policy, in place of any other, and any value of the label. Only what means nothing and
// was not there before is refused; every answer is one that the API server takes.
func FuzzSettings(f *testing.F) {
	f.Add(policyHead+"mode: Enforce\n", "", "Enforce")
	f.Add("mode: [", "mode: [", "Sometimes")
	f.Add(policyHead+"exceptions: [{name: \"a\\u0007\", namespaces: [a], reason: r, until: '2020-01-01'}]\n", "x", "\x00")
	f.Add(policyHead+"? {a: b}\n: \"\\u2028\"\n", "\xff", "")
	f.Fuzz(func(t *testing.T, text, before, value string) {
		h := NewPolicy(HandlerOptions{}, clusterOf(policy.Default(), byImage, running("Deployment", "team-a", "web", "big:1", 2, "n1")))
		body := setting(t, policyMap(before), policyMap(text))
		// What JSON makes of a text that is not UTF-8 is what the API server would send.
		var review admissionv1.AdmissionReview
		var was, is corev1.ConfigMap
		for _, err := range []error{
			utiljson.Unmarshal(body, &review), utiljson.Unmarshal(review.Request.OldObject.Raw, &was), utiljson.Unmarshal(review.Request.Object.Raw, &is),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
		_, _, err := policy.LoadConfigMap(is.Data, true)
		wantRefused := err != nil && was.Data[policy.ConfigMapKey] != is.Data[policy.ConfigMapKey]
		if r := postSetting(t, h, body, "2s"); r.Allowed == wantRefused {
			t.Errorf("allowed: %v, the policy says %v", r.Allowed, err)
		}
		labelled := namespaceOf("team-a")
		labelled.Labels[policy.ModeLabel] = value
		r := postSetting(t, h, setting(t, namespaceOf("team-a"), labelled), "2s")
		if r.Allowed != (policy.CheckModeLabel(value) == nil) {
			t.Errorf("allowed: %v, the label %q means %v", r.Allowed, value, policy.CheckModeLabel(value))
		}
	})
}
