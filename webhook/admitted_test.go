// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/headroom-dev/headroom/fit"
	"github.com/headroom-dev/headroom/policy"
	"github.com/headroom-dev/headroom/verdict"
)

func TestAdmittedPodsAreTold(t *testing.T) {
	uid := func(uid types.UID) func(*corev1.Pod) { return func(p *corev1.Pod) { p.UID = uid } }
	var told []types.UID
	h := NewPods(HandlerOptions{
		Admitted: func(uid types.UID) { told = append(told, uid) },
		Evaluator: evaluatorFunc(func(r fit.Request) fit.Decision {
			if r.UID == "refused" {
				return refuse
			}
			return fit.Decision{Action: fit.Allow, Verdict: verdict.Fits, Mode: policy.Enforce}
		}),
	})
	post(t, h, reviewOf(t, aPod(uid("admitted"))))
	post(t, h, reviewOf(t, aPod(uid("refused"))))
	post(t, h, reviewOf(t, aPod(uid("rehearsed")), dryRun))
	post(t, h, reviewOf(t, aPod(uid("undecodable")), func(r *admissionv1.AdmissionReview) { r.Request.Object.Raw = []byte(`{"spec":{"containers":7}}`) }))
	if diff := cmp.Diff([]types.UID{"admitted"}, told); diff != "" {
		t.Errorf("admitted (-want +got):\n%s", diff)
	}
}
