// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"context"
	"errors"
	"slices"

	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/headroom-dev/headroom/fit"
)

// Sources are what one review is judged by. A recorder gives a review its own, to know afterwards what exactly it was told:
// what is known changes all the time.
type Sources struct {
	Evaluator     Evaluator
	NamespaceMode func(namespace string) string
	NewestPod     func(of corev1.ObjectReference) *corev1.Pod
	TreatsAlike   func(namespace string, these, those map[string]string) bool
	Bindings      Bindings
	Cluster       Cluster
}

type sourcesKey struct{}

// WithSources returns the context of a request that handlers judge by s and not by their own.
func WithSources(ctx context.Context, s *Sources) context.Context {
	return context.WithValue(ctx, sourcesKey{}, s)
}

// sourcesOf returns the sources of the review, nil where it has none of its own.
func sourcesOf(ctx context.Context) *Sources {
	s, _ := ctx.Value(sourcesKey{}).(*Sources)
	return s
}

// sourced is the handler that judges the review.
func (h *Handler) sourced(ctx context.Context) *Handler {
	s := sourcesOf(ctx)
	if s == nil {
		return h
	}
	own := *h
	own.Evaluator, own.NamespaceMode, own.NewestPod, own.TreatsAlike = s.Evaluator, s.NamespaceMode, s.NewestPod, s.TreatsAlike
	return &own
}

// sourced is the same for bindings. What is remembered of those before is one memory, whoever judges.
func (r *bindingReviews) sourced(ctx context.Context) *bindingReviews {
	s := sourcesOf(ctx)
	if s == nil {
		return r
	}
	own := *r
	own.Handler, own.Bindings = r.Handler.sourced(ctx), s.Bindings
	return &own
}

// PathOf returns where the API server would post a review.
func PathOf(req *admissionv1.AdmissionRequest) string {
	core := req.Resource.Group == corev1.GroupName
	switch {
	case isBinding(req):
		return BindingsPath
	case core && req.Resource.Resource == "pods":
		return PodsPath
	case core && slices.Contains([]string{"configmaps", "namespaces"}, req.Resource.Resource):
		return PolicyPath
	default:
		return WorkloadsPath
	}
}

// Answer is the answer to one review, and the decision behind it where there is one.
type Answer struct {
	Response *admissionv1.AdmissionResponse
	Decision *fit.Decision
	Steering *fit.Steering
}

// Review answers a review outside of HTTP, as ServeHTTP does but without waiting for a size. It is for whoever asks about a
// request that was answered elsewhere.
func (h *Handler) Review(ctx context.Context, review *admissionv1.AdmissionReview) (Answer, error) {
	if review.Request == nil || review.Request.UID == "" {
		return Answer{}, errors.New("not an AdmissionReview: request.uid is missing")
	}
	ctx, cancel := context.WithTimeout(ctx, maxTimeout)
	defer cancel()
	o := h.judge(ctx, &incoming{AdmissionRequest: review.Request, version: review.APIVersion}, h.Clock.Now().Add(maxTimeout))
	return Answer{Response: o.response, Decision: o.decision, Steering: o.steering}, nil
}
