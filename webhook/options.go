// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"context"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"

	"github.com/headroom-dev/headroom/fit"
	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/workload"
)

// Evaluator is what Handler needs from package fit: the decision on one pod or template against what is known now. It must answer from
// memory and be safe for concurrent use.
type Evaluator interface {
	Evaluate(fit.Request) fit.Decision
}

// SizeWaiter waits for the sizes of images that somebody else is fetching.
type SizeWaiter interface {
	// Wait returns true once each of the images has an answer, a size or that there is none to be had, and false when ctx is
	// done, or, at once, when too many requests wait already or no answer will come.
	Wait(ctx context.Context, images []imageref.Ref) bool
}

// HandlerOptions is what a Handler works with. Only Evaluator is needed.
type HandlerOptions struct {
	// Evaluator makes the decisions.
	Evaluator Evaluator
	// NamespaceMode returns the value of a namespace's label headroom.dev/mode, "" for none. It must not do I/O.
	NamespaceMode func(namespace string) string
	// Templates says where objects of a kind that is not Kubernetes' own have their pod template, nil where nobody knows. It must
	// not do I/O.
	Templates func(schema.GroupVersionKind) *workload.Paths
	// NewestPod returns the pod of a workload that was made last, of those that are not done, nil where it has none. The pod is
	// shared and is not changed; what keeps it on its node and what was added to debug it is not used. It must not do I/O.
	NewestPod func(of corev1.ObjectReference) *corev1.Pod
	// TreatsAlike reports whether the policy in force has the same exceptions for pods of a namespace with these labels and with
	// those; nil where it has none. It must not do I/O.
	TreatsAlike func(namespace string, these, those map[string]string) bool
	// Want is told which images lack a size, so that somebody finds it out. It must not block. Dry runs don't call it.
	Want func(images []imageref.Ref)
	// Sizes and SizeWait are the one wait of pods and templates: in mode Enforce, not for dry runs, when a size could turn the
	// answer into a refusal, or of a template into the warning of one, and never longer than half of what the API server gives
	// the request. No wait if nil or not positive.
	Sizes    SizeWaiter
	SizeWait time.Duration
	// Tell is told about every pod and template that was warned about or refused, so that somebody repeats it where warnings
	// get lost. It must not block. Dry runs don't call it.
	Tell func(Notice)
	// Limits are what the handlers of one process share; nil for limits of a handler's own.
	Limits *Limits
	// Admitted is told about every pod that was judged and admitted. It must not block. Dry runs don't call it.
	Admitted func(types.UID)
	// Metrics counts the answers.
	Metrics *Metrics
	// Log gets denials and warnings at V(1), decisions at V(2), and what should never happen at V(0), where that is once a minute.
	Log logr.Logger
	// Clock is the real one if nil.
	Clock clock.PassiveClock
}
