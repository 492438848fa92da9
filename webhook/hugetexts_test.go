// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr/funcr"
	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

	"github.com/headroom-dev/headroom/fit"
	"github.com/headroom-dev/headroom/policy"
	"github.com/headroom-dev/headroom/verdict"
)

// TestHugeTextsFillNoLog: whatever a client writes into a request, a line in the log about it stays a line.
func TestHugeTextsFillNoLog(t *testing.T) {
	const limit = 4 << 10
	huge := strings.Repeat("x", 2<<20)
	bindingOfHuge := func(change func(*corev1.Binding)) func(*admissionv1.AdmissionReview) {
		return func(r *admissionv1.AdmissionReview) {
			b := corev1.Binding{ObjectMeta: metav1.ObjectMeta{Namespace: "team-a", Name: "llm"}, Target: corev1.ObjectReference{Name: "worker-1"}}
			change(&b)
			r.Request.Object = runtime.RawExtension{Raw: asJSON(t, b)}
		}
	}
	through := fit.Steering{Mode: policy.Enforce, Verdict: verdict.Fits}
	for name, change := range map[string]func(*admissionv1.AdmissionReview){
		"the namespace":      func(r *admissionv1.AdmissionReview) { r.Request.Namespace = huge },
		"the name":           func(r *admissionv1.AdmissionReview) { r.Request.Name = huge },
		"the kind":           func(r *admissionv1.AdmissionReview) { r.Request.Kind.Kind = huge },
		"a subresource":      func(r *admissionv1.AdmissionReview) { r.Request.SubResource = huge },
		"a binding's UID":    bindingOfHuge(func(b *corev1.Binding) { b.UID = types.UID(huge) }),
		"a binding's node":   bindingOfHuge(func(b *corev1.Binding) { b.Target.Name = huge }),
		"a binding's target": bindingOfHuge(func(b *corev1.Binding) { b.Target.Kind = huge }),
		"what is not an object": func(r *admissionv1.AdmissionReview) {
			r.Request.Object.Raw = []byte(`{"metadata": 1` + strings.Repeat("0", 2<<20) + `}`)
		},
		"a version of the review": func(r *admissionv1.AdmissionReview) { r.APIVersion = huge },
	} {
		t.Run(name, func(t *testing.T) {
			lines, longest := 0, 0
			log := funcr.New(func(_, args string) { lines, longest = lines+1, max(longest, len(args)) }, funcr.Options{Verbosity: 10})
			post(t, NewPods(HandlerOptions{Evaluator: refuseAll(), Log: log}), reviewOf(t, aPod(), change))
			s := &steerer{answer: through}
			postBinding(t, NewBindings(HandlerOptions{Log: log}, s.options()), bindingReview(t, change))
			if lines == 0 || longest > limit {
				t.Errorf("%d lines, the longest of %d bytes, want %d at most", lines, longest, limit)
			}
		})
	}
}

// refuseAll refuses everything.
func refuseAll() Evaluator {
	return evaluatorFunc(func(fit.Request) fit.Decision {
		return fit.Decision{Action: fit.Deny, Mode: policy.Enforce, Verdict: verdict.EvictsPods, Message: "too large"}
	})
}

// A binding is asked about before the API server has validated it.
func TestHugeTextsOfBindingsAreNotKept(t *testing.T) {
	huge := strings.Repeat("x", 2<<20)
	var r recentBindings
	r.judged(huge, "1", true, time.Time{})
	r.judged("n", types.UID(huge), true, time.Time{})
	if r.order.Len() != 0 {
		t.Errorf("%d bindings are remembered that can't be", r.order.Len())
	}
}

// TestANoticeHoldsOneOwner: a pointer into the object's list would hold all of it.
func TestANoticeHoldsOneOwner(t *testing.T) {
	pod := aPod(func(p *corev1.Pod) {
		p.OwnerReferences = []metav1.OwnerReference{{Kind: "Cluster", Name: "c"}, {Kind: "ReplicaSet", Name: "web", Controller: new(true)}}
	})
	n := noticeOf(&admissionv1.AdmissionRequest{}, subject{object: pod}, fit.Decision{})
	if n.Controller == nil || n.Controller.Name != "web" || n.Controller == &pod.OwnerReferences[1] {
		t.Errorf("the notice has the controller %v, want a copy", n.Controller)
	}
}
