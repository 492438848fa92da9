// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"context"
	"errors"
	"fmt"
	"time"

	admissionv1 "k8s.io/api/admission/v1"

	"github.com/headroom-dev/headroom/fit"
	"github.com/headroom-dev/headroom/policy"
)

// outcome is what became of a request: exactly one of decision, steering, exemption, setting and why is set.
type outcome struct {
	response *admissionv1.AdmissionResponse
	decision *fit.Decision
	steering *fit.Steering
	// notice is set with a decision that somebody should hear of.
	notice *Notice
	// exemption is why the request was not judged.
	exemption Exemption
	// setting is what was judged where it is no pod but what an admin set.
	setting Setting
	// why there is no decision, and what happened.
	why fit.Reason
	err error
}

var knownVersion = admissionv1.SchemeGroupVersion.String()

// judge decides on one request. It never panics; where it can't decide, it admits.
func (h *Handler) judge(ctx context.Context, in *incoming, waitUntil time.Time) (o outcome) {
	defer func() {
		if p := recover(); p != nil {
			h.panicked(p)
			o = undecided(in.AdmissionRequest, Panicked, fmt.Errorf("panic: %v", p))
		}
	}()
	if in.version != knownVersion {
		return undecided(in.AdmissionRequest, UnknownVersion, fmt.Errorf("the AdmissionReview's apiVersion is %q: only %s is known", in.version, knownVersion))
	}
	return h.review(ctx, in, waitUntil)
}

// decide evaluates r, and once more if the size of an image arrives that could turn the answer into a refusal, or, of a
// template, into the warning that its pods would be refused. It waits until waitUntil at most, not at all where that is zero.
func (h *Handler) decide(ctx context.Context, r fit.Request, dryRun bool, waitUntil time.Time) (fit.Decision, error) {
	d, err := h.evaluate(ctx, r)
	if err != nil || dryRun {
		return d, err
	}
	if h.Want != nil && len(d.Unsized) > 0 {
		h.Want(d.Unsized)
	}
	if d.Mode != policy.Enforce || waitUntil.IsZero() || len(d.WaitFor) == 0 || h.Sizes == nil || h.SizeWait <= 0 {
		return d, nil
	}
	if until := h.Clock.Now().Add(h.SizeWait); until.Before(waitUntil) {
		waitUntil = until
	}
	waiting, cancel := context.WithDeadline(ctx, waitUntil)
	defer cancel()
	if !h.Sizes.Wait(waiting, d.WaitFor) {
		if waiting.Err() != nil {
			h.Metrics.waited(waitTimedOut)
		} else {
			h.Metrics.waited(waitRefused)
		}
		return d, nil
	}
	h.Metrics.waited(waitAnswered)
	return h.evaluate(ctx, r)
}

var errBusy = errors.New("no processor was free to decide in time")

func (h *Handler) evaluate(ctx context.Context, r fit.Request) (d fit.Decision, err error) {
	err = h.inSlot(ctx, func() {
		start := h.Clock.Now()
		d = h.Evaluator.Evaluate(r)
		h.Metrics.duration.Observe(h.Clock.Since(start).Seconds())
	})
	return d, err
}

// inSlot decides when a processor is free to, or returns an error when ctx is done.
func (h *Handler) inSlot(ctx context.Context, decide func()) error {
	select {
	case h.Limits.slots <- struct{}{}:
	case <-ctx.Done():
		return errBusy
	}
	defer func() { <-h.Limits.slots }()
	decide()
	return nil
}

func isDryRun(req *admissionv1.AdmissionRequest) bool { return req.DryRun != nil && *req.DryRun }
