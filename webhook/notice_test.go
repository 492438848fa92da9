// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/headroom-dev/headroom/fit"
	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/policy"
	"github.com/headroom-dev/headroom/verdict"
)

func TestWhatIsTold(t *testing.T) {
	owner := metav1.OwnerReference{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "web-5d9", UID: "rs", Controller: new(true)}
	made := func(p *corev1.Pod) { p.OwnerReferences = []metav1.OwnerReference{owner} }
	said := func(action fit.Action, mode policy.Mode) fit.Decision {
		return fit.Decision{Action: action, Mode: mode, Verdict: verdict.EvictsPods, Message: sentenceForPeople}
	}
	images, _ := imageref.OfPod(&aPod().Spec)
	notice := func(action fit.Action, controller *metav1.OwnerReference) []Notice {
		return []Notice{{
			APIVersion: "v1", Kind: "Pod", Namespace: "team-a", Name: "llm", UID: aPod().UID, Controller: controller,
			Operation: admissionv1.Create, Action: action, Verdict: verdict.EvictsPods,
			Images: digestOf(images), Message: sentenceForPeople,
		}}
	}
	for name, tc := range map[string]struct {
		decision fit.Decision
		pod      *corev1.Pod
		dryRun   bool
		want     []Notice
	}{
		"a warning":                             {said(fit.Warn, policy.Warn), aPod(), false, notice(fit.Warn, nil)},
		"a refusal":                             {said(fit.Deny, policy.Enforce), aPod(), false, notice(fit.Deny, nil)},
		"a warning that no controller is shown": {said(fit.Warn, policy.Warn), aPod(made), false, notice(fit.Warn, &owner)},
		"a pod whose namespace only the request has":    {said(fit.Warn, policy.Warn), aPod(func(p *corev1.Pod) { p.Namespace = "" }), false, notice(fit.Warn, nil)},
		"nothing of a dry run":                          {said(fit.Deny, policy.Enforce), aPod(), true, nil},
		"nothing of what is allowed":                    {said(fit.Allow, policy.Warn), aPod(), false, nil},
		"nothing of a decision that does not hold":      {said(fit.Deny, policy.Audit), aPod(), false, nil},
		"nothing of an exempt pod, whatever is decided": {fit.Decision{Action: fit.Deny, Mode: policy.Enforce, Reason: fit.ExemptPod}, aPod(), false, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var told []Notice
			h := NewPods(HandlerOptions{Evaluator: &script{decisions: []fit.Decision{tc.decision}}, Tell: func(n Notice) { told = append(told, n) }})
			change := func(*admissionv1.AdmissionReview) {}
			if tc.dryRun {
				change = dryRun
			}
			post(t, h, reviewOf(t, tc.pod, change))
			if diff := cmp.Diff(tc.want, told); diff != "" {
				t.Errorf("told (-want +got):\n%s", diff)
			}
		})
	}
}

// TestSameImages: the text that stands for images is equal for equal images, and for no others.
func TestSameImages(t *testing.T) {
	of := func(names ...string) string {
		var spec corev1.PodSpec
		for _, name := range names {
			spec.Containers = append(spec.Containers, corev1.Container{Image: name})
		}
		images, _ := imageref.OfPod(&spec)
		return digestOf(images)
	}
	reference := of("nginx:1", "quay.io/a/b:2")
	for _, same := range []string{of("quay.io/a/b:2", "docker.io/library/nginx:1"), of("nginx:1", "quay.io/a/b:2", "nginx:1")} {
		if same != reference {
			t.Error("order, spelling and repetition make a difference")
		}
	}
	for _, other := range []string{of("nginx:1"), of("nginx:2", "quay.io/a/b:2"), of()} {
		if other == reference {
			t.Error("other images have the same text")
		}
	}
}

// TestTemplatesThatAreTold: a Deployment and its pods are told of as one thing.
func TestTemplatesThatAreTold(t *testing.T) {
	warn := fit.Decision{Action: fit.Warn, Mode: policy.Enforce, Verdict: verdict.EvictsPods, Message: sentenceForPeople}
	var told []Notice
	options := HandlerOptions{Evaluator: &script{decisions: []fit.Decision{warn}}, Tell: func(n Notice) { told = append(told, n) }}
	other := aDeployment()
	other.Spec.Template.Spec.Containers = []corev1.Container{{Name: "c", Image: "nginx"}}
	post(t, NewWorkloads(options), reviewOfObject(t, aDeployment(), deploymentKind, "deployments", updateOf(t, other)))
	post(t, NewPods(options), reviewOf(t, aPod()))
	if len(told) != 2 || told[0].Images != told[1].Images {
		t.Fatalf("told %+v, want two with the same images", told)
	}
	want := Notice{
		APIVersion: "apps/v1", Kind: "Deployment", Namespace: "team-a", Name: "llm", UID: aDeployment().UID,
		Operation: admissionv1.Update, Action: fit.Warn, Verdict: verdict.EvictsPods,
		Images: told[1].Images, Message: sentenceForPeople,
	}
	if diff := cmp.Diff(want, told[0]); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
}
