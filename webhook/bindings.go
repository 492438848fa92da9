// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/headroom-dev/headroom/fit"
	"github.com/headroom-dev/headroom/policy"
	"github.com/headroom-dev/headroom/webhook/decode"
)

// A scheduler may be sooner with a pod than the informer here. unknownWait is how long a binding waits for its pod to be known:
// somewhat more than an informer takes even when it is busy. It is looked every unknownRetry. Nobody waits for a scheduler's
// binding but the scheduler, which does other things meanwhile.
const unknownWait, unknownRetry = 250 * time.Millisecond, 10 * time.Millisecond

var errLate = errors.New("the binding was judged after the time that the API server gives")

// Bindings is what a handler of bindings works with.
type Bindings struct {
	// Unsteered returns the answer about a binding where steering is off for its namespace, and whether it is. It is asked
	// before anything else, so that steering costs nothing where it is off. Nil means never.
	Unsteered func(fit.Binding) (fit.Steering, bool)
	// Steer judges a binding against what is known now. It must answer from memory and be safe for concurrent use.
	Steer func(fit.Binding) fit.Steering
	// SendBack is asked before a binding is sent back, and sees to all that belongs to it but the answer. It returns an empty
	// reason, or why the binding is let through nevertheless: LimitReached, NotReady or Busy. It must not block.
	SendBack func(SendBack) fit.Reason
}

// SendBack is a binding that should be sent back.
type SendBack struct {
	Namespace, Name string
	UID             types.UID
	// Node is the one that the pod should not go to.
	Node string
	// Request is the UID of the review.
	Request types.UID
	// Message is the sentence about it.
	Message string
	// DryRun asks what would be answered, and must leave no trace.
	DryRun bool
}

// NewBindings returns a handler for the webhook bindings.headroom.dev.
func NewBindings(o HandlerOptions, b Bindings) *Handler {
	r := &bindingReviews{Bindings: b, Handler: newHandler(o), turns: newTurns(), recent: &recentBindings{}}
	r.webhook, r.review = bindingsLabel, r.reviewBinding
	return r.Handler
}

// bindingReviews judges bindings.
type bindingReviews struct {
	Bindings
	*Handler

	turns  *turns
	recent *recentBindings
}

// reviewBinding judges the choice of a node for a pod. It refuses nothing for good: what it sends back comes again.
func (r *bindingReviews) reviewBinding(ctx context.Context, in *incoming, _ time.Time) outcome {
	req := in.AdmissionRequest
	r = r.sourced(ctx)
	if !isBinding(req) {
		return unexpected(req)
	}
	binding, err := bindingOf(req)
	if err != nil {
		return undecided(req, Undecodable, err)
	}
	asked := fit.Binding{
		Namespace: binding.Namespace, Name: binding.Name, UID: binding.UID,
		Choice: fit.Choice{Node: binding.Target.Name}, NamespaceMode: r.modeOf(binding.Namespace),
	}
	if r.Unsteered != nil {
		if d, unsteered := r.Unsteered(asked); unsteered && !d.SendBack {
			r.remember(req, &asked, &d, true)
			return r.steered(req, binding, d)
		}
	}
	for patience := r.Clock.Now().Add(unknownWait); ; {
		d, err := r.judgeInTurn(ctx, req, asked)
		if err != nil {
			return undecided(req, TimedOut, err)
		}
		if d.Reason != fit.UnknownPod || isDryRun(req) || !r.Clock.Now().Before(patience) || !pause(ctx, unknownRetry) {
			return r.steered(req, binding, d)
		}
	}
}

// judgeInTurn judges a binding when those before it to the same node have been.
func (r *bindingReviews) judgeInTurn(ctx context.Context, req *admissionv1.AdmissionRequest, asked fit.Binding) (d fit.Steering, err error) {
	end, taken := r.turns.take(ctx, asked.Node)
	if !taken {
		r.remember(req, &asked, &d, true)
		return d, errBusy
	}
	defer end()
	err = r.inSlot(ctx, func() {
		asked.Before = r.recent.to(asked.Node, r.Clock.Now())
		d = r.Steer(asked)
	})
	if err == nil && d.SendBack {
		err = r.holdBack(ctx, req, &asked, &d)
	}
	r.remember(req, &asked, &d, err != nil || !d.SendBack)
	return d, err
}

// remember tells the bindings that come next what became of this one.
func (r *bindingReviews) remember(req *admissionv1.AdmissionRequest, asked *fit.Binding, d *fit.Steering, letThrough bool) {
	if !isDryRun(req) {
		r.recent.judged(asked.Node, cmp.Or(d.Pod, asked.UID), letThrough, r.Clock.Now())
	}
}

// pause reports whether ctx leaves time for it.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// holdBack lets through what should be sent back but can't be. It returns an error where ctx is done: then the binding has been
// let through for want of an answer, and nothing may be done as if it had not.
func (r *bindingReviews) holdBack(ctx context.Context, req *admissionv1.AdmissionRequest, asked *fit.Binding, d *fit.Steering) error {
	switch {
	case ctx.Err() != nil:
		return errLate
	case d.Verdict.Severity() <= 0, d.Mode == policy.Off, d.Pod == "":
		d.Reason = Inconsistent // A sound Steer does not say so.
	default:
		d.Reason = r.SendBack(SendBack{
			Namespace: asked.Namespace, Name: asked.Name, UID: d.Pod, Node: asked.Node,
			Request: req.UID, Message: oneLine(d.Message), DryRun: isDryRun(req),
		})
	}
	d.SendBack = d.Reason == ""
	if ctx.Err() != nil {
		return errLate
	}
	return nil
}

// bindingOf decodes the binding. The request names the namespace and the pod that count; in the object they may be missing.
func bindingOf(req *admissionv1.AdmissionRequest) (*corev1.Binding, error) {
	b, err := decode.Binding(req.Object.Raw)
	if err != nil {
		return nil, fmt.Errorf("the binding can't be decoded: %w", err)
	}
	if b.Target.Kind != "" && b.Target.Kind != "Node" {
		return nil, fmt.Errorf("the binding's target is of kind %q: only nodes are known", b.Target.Kind)
	}
	if req.Namespace != "" {
		b.Namespace = req.Namespace
	}
	if req.Name != "" {
		b.Name = req.Name
	}
	return b, nil
}

// isBinding reports whether req is one of the two ways in which a scheduler names a pod's node.
func isBinding(req *admissionv1.AdmissionRequest) bool {
	subresource := req.Resource.Resource == "pods" && req.SubResource == "binding"
	legacy := req.Resource.Resource == "bindings" && req.SubResource == ""
	return req.Operation == admissionv1.Create && req.Resource.Group == "" && req.Resource.Version == "v1" && (subresource || legacy)
}
