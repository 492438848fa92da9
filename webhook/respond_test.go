// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"
	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/headroom-dev/headroom/estimate"
	"github.com/headroom-dev/headroom/fit"
	"github.com/headroom-dev/headroom/ledger"
	"github.com/headroom-dev/headroom/policy"
	"github.com/headroom-dev/headroom/verdict"
)

const sentenceForPeople = "image storage: needs ~10Gi on a node; none of 3 eligible nodes has that much"

// TestEveryVerdictModeAndAction: whatever a decision holds, the answer is one that the API server takes, and the pod is
// refused only by Deny in Enforce on the grounds of a verdict.
func TestEveryVerdictModeAndAction(t *testing.T) {
	verdicts := append(verdict.All(), "", "Nonsense")
	modes := append(policy.Modes(), "", "Nonsense")
	for _, v := range verdicts {
		for _, mode := range modes {
			for _, action := range []fit.Action{fit.Allow, fit.Warn, fit.Deny, "", "Nonsense"} {
				t.Run(fmt.Sprintf("%s,%s,%s", v, mode, action), func(t *testing.T) {
					d := fit.Decision{Action: action, Verdict: v, Mode: mode, Message: sentenceForPeople, CauseCode: "ImagesEvictPods"}
					m := NewMetrics(nil)
					r := post(t, NewPods(HandlerOptions{Evaluator: &script{decisions: []fit.Decision{d}}, Metrics: m}), reviewOf(t, aPod()))
					grounds := v.Severity() > 0
					wantDeny := action == fit.Deny && mode == policy.Enforce && grounds
					wantWarn := action == fit.Warn && (mode == policy.Warn || mode == policy.Enforce) && grounds
					if r.Allowed == wantDeny {
						t.Errorf("allowed is %v, want %v", r.Allowed, !wantDeny)
					}
					if got := len(r.Warnings) == 1; got != wantWarn {
						t.Errorf("warnings %q, want one: %v", r.Warnings, wantWarn)
					}
					want := fit.Allow
					if wantDeny {
						want = fit.Deny
						if r.Result.Message != sentenceForPeople || r.Result.Details.Causes[0].Type != "ImagesEvictPods" {
							t.Errorf("result is %+v", r.Result)
						}
					} else if wantWarn {
						want = fit.Warn
					}
					if got := r.AuditAnnotations["action"]; got != string(want) {
						t.Errorf("annotation action is %q, want %q", got, want)
					}
					modeLabel := string(mode)
					if mode == "" || mode == "Nonsense" {
						modeLabel = "Unknown"
					}
					if got := testutil.ToFloat64(m.decisions.WithLabelValues("pods", verdictLabel(v), modeLabel, string(want))); got != 1 {
						t.Errorf("decisions_total counts %v, want 1", got)
					}
					inconsistent := 0.0
					if action != want {
						inconsistent = 1
					}
					counted(t, m, inconsistent, "pods", "inconsistent")
				})
				t.Run(fmt.Sprintf("%s,%s,%s of a template", v, mode, action), func(t *testing.T) {
					d := fit.Decision{Action: action, Verdict: v, Mode: mode, Message: sentenceForPeople, CauseCode: "ImagesEvictPods"}
					h := NewWorkloads(HandlerOptions{Evaluator: &script{decisions: []fit.Decision{d}}})
					r := post(t, h, reviewOfObject(t, aDeployment(), deploymentKind, "deployments"))
					wantWarn := v.Severity() > 0 && (action == fit.Warn && mode.AtLeast(policy.Warn) || action == fit.Deny && mode == policy.Enforce)
					if !r.Allowed || (len(r.Warnings) == 1) != wantWarn {
						t.Errorf("allowed is %v with warnings %q, want a warning: %v", r.Allowed, r.Warnings, wantWarn)
					}
				})
			}
		}
	}
}

func TestAnnotations(t *testing.T) {
	best := fit.NodeResult{Node: "a", Projected: estimate.Bytes{Low: -5, Likely: 10, High: math.MaxInt64}}
	cases := map[string]struct {
		decision fit.Decision
		change   func(*corev1.Pod)
		want     map[string]string
		counted  string
	}{
		"a decision carries its numbers": {
			decision: fit.Decision{
				Action: fit.Warn, Verdict: verdict.EvictsPods, Mode: policy.Warn, Best: best, Tier: ledger.Measured, Message: "m",
				Need: estimate.Bytes{Low: 1, Likely: 2, High: 3}, Possible: 3, Likely: 2, Overloaded: 1,
			},
			want: map[string]string{
				"action": "Warn", "verdict": "EvictsPods", "need": "1/2/3", "projected": "-5/10/inf", "tier": "Measured",
				"candidates": "possible=3,likely=2,overloaded=1", "policy": "Warn@v7", "message": "m",
			},
		},
		"a decision about no node has no bytes": {
			decision: fit.Decision{Action: fit.Allow, Verdict: verdict.Unknown, Mode: policy.Enforce, Reason: fit.NoCandidate},
			want: map[string]string{
				"action": "Allow", "verdict": "Unknown", "undecided": "no-candidate", "policy": "Enforce@v7",
				"candidates": "possible=0,likely=0,overloaded=0",
			},
			counted: "no-candidate",
		},
		"a label of the namespace that was not followed": {
			decision: fit.Decision{
				Action: fit.Allow, Verdict: verdict.Fits, Mode: policy.Enforce,
				ModeIgnored: "label headroom.dev/mode=Warn is not followed: the policy's namespaceOverrides are None",
			},
			want: map[string]string{
				"action": "Allow", "verdict": "Fits", "policy": "Enforce@v7", "candidates": "possible=0,likely=0,overloaded=0",
				"modeIgnored": "label headroom.dev/mode=Warn is not followed: the policy's namespaceOverrides are None",
			},
		},
		"pods that wait decide": {
			decision: fit.Decision{Action: fit.Warn, Verdict: verdict.EvictsPods, Mode: policy.Warn, Waiting: true, Message: "m"},
			want: map[string]string{
				"action": "Warn", "verdict": "EvictsPods", "policy": "Warn@v7", "candidates": "possible=0,likely=0,overloaded=0",
				"waiting": "true", "message": "m",
			},
		},
		"an exception": {
			decision: fit.Decision{Action: fit.Allow, Verdict: verdict.EvictsPods, Mode: policy.Enforce, Reason: fit.Excepted, Exception: "llm-move", Message: "m"},
			want: map[string]string{
				"action": "Allow", "verdict": "EvictsPods", "policy": "Enforce@v7", "candidates": "possible=0,likely=0,overloaded=0",
				"undecided": "excepted", "exception": "llm-move", "message": "m",
			},
			counted: "excepted",
		},
		"an exception whose allowance is exceeded": {
			decision: fit.Decision{Action: fit.Warn, Verdict: verdict.EvictsPods, Mode: policy.Warn, Exceeded: "llm-move", Message: "m"},
			want: map[string]string{
				"action": "Warn", "verdict": "EvictsPods", "policy": "Warn@v7", "candidates": "possible=0,likely=0,overloaded=0",
				"exception": "llm-move (allowance exceeded)", "message": "m",
			},
		},
		"an exempt namespace": {
			decision: fit.Decision{Action: fit.Allow, Mode: policy.Enforce, Reason: fit.ExemptPod, Exemption: "namespace"},
			want:     map[string]string{"action": "Allow", "exempt": "namespace", "policy": "Enforce@v7"},
		},
		"a policy that is off": {
			decision: fit.Decision{Action: fit.Allow, Mode: policy.Off, Reason: fit.ModeOff},
			want:     map[string]string{"action": "Allow", "exempt": "off", "policy": "Off@v7"},
		},
		"a mirror pod is never refused": {
			decision: fit.Decision{Action: fit.Deny, Verdict: verdict.NeverFits, Mode: policy.Enforce, Message: "m"},
			change:   func(p *corev1.Pod) { p.Annotations = map[string]string{"kubernetes.io/config.mirror": "hash"} },
			want:     map[string]string{"action": "Allow", "exempt": "mirror"},
		},
		"a reason of the future is counted as another": {
			decision: fit.Decision{Action: fit.Allow, Verdict: verdict.Fits, Mode: policy.Warn, Reason: "brand-new"},
			want: map[string]string{
				"action": "Allow", "verdict": "Fits", "undecided": "brand-new", "policy": "Warn@v7",
				"candidates": "possible=0,likely=0,overloaded=0",
			},
			counted: "other",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			m := NewMetrics(nil)
			tc.decision.PolicyVersion = "v7"
			h := NewPods(HandlerOptions{Evaluator: &script{decisions: []fit.Decision{tc.decision}}, Metrics: m})
			pod := aPod()
			if tc.change != nil {
				tc.change(pod)
			}
			r := post(t, h, reviewOf(t, pod))
			if !r.Allowed {
				t.Error("refused")
			}
			if diff := cmp.Diff(tc.want, r.AuditAnnotations); diff != "" {
				t.Errorf("annotations (-want +got):\n%s", diff)
			}
			if tc.counted != "" {
				counted(t, m, 1, "pods", tc.counted)
			}
			if e := tc.want["exempt"]; e != "" {
				if got := testutil.ToFloat64(m.exemptedBy.WithLabelValues("pods", e)); got != 1 {
					t.Errorf("exempt_total is %v, want 1", got)
				}
			}
		})
	}
}

func TestWhoIsWarned(t *testing.T) {
	owned := func(controller bool) func(*corev1.Pod) {
		return func(p *corev1.Pod) {
			p.OwnerReferences = []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "rs", UID: "u", Controller: new(controller)}}
		}
	}
	warn := fit.Decision{Action: fit.Warn, Verdict: verdict.EvictsPods, Mode: policy.Enforce, Message: "image storage:\nbad\x1b[31m \xff news\u2028" + strings.Repeat("é", 300)}
	for name, tc := range map[string]struct {
		change func(*corev1.Pod)
		want   int
	}{
		"whoever makes a pod":                    {func(*corev1.Pod) {}, 1},
		"whoever makes a pod that has an owner":  {owned(false), 1},
		"no controller, which would only log it": {owned(true), 0},
	} {
		t.Run(name, func(t *testing.T) {
			r := post(t, NewPods(HandlerOptions{Evaluator: &script{decisions: []fit.Decision{warn}}}), reviewOf(t, aPod(tc.change)))
			if len(r.Warnings) != tc.want {
				t.Errorf("warnings %q, want %d", r.Warnings, tc.want)
			}
			if got := r.AuditAnnotations["action"]; got != "Warn" {
				t.Errorf("annotation action is %q, want Warn", got)
			}
		})
	}
}

func TestARefusalNamesThePod(t *testing.T) {
	deny := fit.Decision{Action: fit.Deny, Verdict: verdict.FillsDisk, Mode: policy.Enforce}
	h := NewPods(HandlerOptions{Evaluator: &script{decisions: []fit.Decision{deny}}})
	unnamed := func(p *corev1.Pod) { p.Name, p.GenerateName = "", "llm-" }
	r := post(t, h, reviewOf(t, aPod(unnamed)))
	if r.Allowed || r.Result.Details.Name != "llm-" || r.Result.Message != fallbackMessage {
		t.Errorf("response is %+v with result %+v", r, r.Result)
	}
}

func TestRequestsThatEvaluatorsGet(t *testing.T) {
	s := &script{}
	h := NewPods(HandlerOptions{Evaluator: s, NamespaceMode: func(ns string) string { return "label of " + ns }})
	elsewhere := func(p *corev1.Pod) { p.Namespace = "" }
	post(t, h, reviewOf(t, aPod(elsewhere), func(r *admissionv1.AdmissionReview) { r.Request.Namespace = "team-b" }))
	asked := s.asked()
	if len(asked) != 1 || asked[0].Namespace != "team-b" || asked[0].NamespaceMode != "label of team-b" || len(asked[0].Images) != 1 {
		t.Errorf("evaluator was asked %+v", asked)
	}
}
