// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/headroom-dev/headroom/fit"
	"github.com/headroom-dev/headroom/ledger"
	"github.com/headroom-dev/headroom/policy"
	"github.com/headroom-dev/headroom/webhook"
	"github.com/headroom-dev/headroom/workload"
)

// moment is what is known at one time: all that an answer depends on.
type moment struct {
	snapshot *ledger.Snapshot
	policy   *policy.Policy
	// policyText is what the policy was read from: empty where its version says that there is no text, and for one look at a
	// cluster.
	policyText string
	// modes are the values of the label headroom.dev/mode, by namespace: of those that matter here only.
	modes map[string]string
	now   time.Time
	// newest is the pod by which scaling is judged, nil for none.
	newest *corev1.Pod
	// before is what steering remembered, see fit.Choice, and letThrough why a binding was not sent back that should have been.
	before     []types.UID
	letThrough fit.Reason
	// workloads are what a change of the policy is held against.
	workloads []webhook.Workload
}

// evaluator decides by the moment, whatever happens meanwhile.
func (m *moment) evaluator() fit.Evaluator {
	return fit.Evaluator{
		Snapshot: func() *ledger.Snapshot { return m.snapshot },
		Policy:   func() *policy.Policy { return m.policy },
		Clock:    func() time.Time { return m.now },
	}
}

// answer is what the webhook says to a review at that moment. No binding has been sent back before.
func (m *moment) answer(ctx context.Context, review *admissionv1.AdmissionReview) (webhook.Answer, error) {
	evaluator := m.evaluator()
	options := webhook.HandlerOptions{
		Evaluator:     evaluator,
		NamespaceMode: func(namespace string) string { return m.modes[namespace] },
		Templates:     func(kind schema.GroupVersionKind) *workload.Paths { return pathsOf(m.policy, kind) },
		NewestPod:     func(corev1.ObjectReference) *corev1.Pod { return m.newest },
		TreatsAlike: func(namespace string, these, those map[string]string) bool {
			return m.policy.TreatsAlike(namespace, these, those, m.now)
		},
	}
	bindings := webhook.Bindings{
		Unsteered: evaluator.Unsteered,
		Steer: func(b fit.Binding) fit.Steering {
			b.Before = m.before
			return evaluator.Steer(b)
		},
		SendBack: func(webhook.SendBack) fit.Reason { return m.letThrough },
	}
	cluster := webhook.Cluster{
		Policy: evaluator.Policy, Freeze: evaluator.Freeze, Now: evaluator.Clock,
		Workloads: func(string) []webhook.Workload { return m.workloads },
	}
	return handlerAt(webhook.PathOf(review.Request), options, bindings, cluster).Review(ctx, review)
}
