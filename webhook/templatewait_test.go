// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"testing"
	"testing/synctest"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/headroom-dev/headroom/fit"
	"github.com/headroom-dev/headroom/policy"
	"github.com/headroom-dev/headroom/verdict"
)

// A template is worth a wait for a size where somebody reads what comes of it: the pods would be refused later.
func TestTemplatesWaitForSizesTheirReadersWant(t *testing.T) {
	unsized := refs(t, "a")
	cases := map[string]struct {
		owners []metav1.OwnerReference
		took   time.Duration
		warns  bool
	}{
		"somebody's Deployment":      {took: 300 * time.Millisecond, warns: true},
		"one that a controller made": {owners: []metav1.OwnerReference{{APIVersion: "example.com/v1", Kind: "App", Name: "app", UID: "u", Controller: new(true)}}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := NewWorkloads(HandlerOptions{
					Evaluator: &script{decisions: []fit.Decision{
						{Action: fit.Allow, Verdict: verdict.Unknown, Reason: fit.UnknownSize, Mode: policy.Enforce, Unsized: unsized, WaitFor: unsized},
						{Action: fit.Warn, Verdict: verdict.NeverFits, Mode: policy.Enforce, Message: "m"},
					}},
					Sizes: &waiter{took: 300 * time.Millisecond}, SizeWait: 500 * time.Millisecond,
				})
				d := aDeployment(func(d *appsv1.Deployment) { d.OwnerReferences = tc.owners })
				start := time.Now()
				r := post(t, h, reviewOfObject(t, d, appsv1.SchemeGroupVersion.WithKind("Deployment"), "deployments"))
				if took := time.Since(start); took != tc.took || len(r.Warnings) > 0 != tc.warns {
					t.Errorf("took %s, warnings %v", took, r.Warnings)
				}
			})
		})
	}
}
