// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/clock"

	"github.com/headroom-dev/headroom/webhook/decode"
)

const (
	// maxBodyBytes is more than twice the 3 MiB that the API server takes for one request (GenericAPIServer's
	// MaxRequestBodyBytes): a review holds the object once, and on UPDATE the one it replaces.
	maxBodyBytes = 7 << 20
	// largeBodyBytes is where a body counts as large. An ordinary review has 5 to 20 kB.
	largeBodyBytes = 128 << 10
	// defaultTimeout and maxTimeout are the API server's, see ValidatingWebhook.timeoutSeconds.
	defaultTimeout = 10 * time.Second
	maxTimeout     = 30 * time.Second
)

// Handler answers the AdmissionReviews of one webhook. It is safe for concurrent use.
type Handler struct {
	HandlerOptions
	// webhook is the label of the webhook in metrics and log lines.
	webhook string
	// read decodes a review.
	read func(body []byte) (decode.Review, error)
	// review judges one request, under judge's recover. It may use the time until waitUntil for what it waits for.
	review func(ctx context.Context, in *incoming, waitUntil time.Time) outcome
	said   *said
}

// incoming is a request, with what has been read of its objects.
type incoming struct {
	*admissionv1.AdmissionRequest
	// version is the review's.
	version string
	// pod and oldPod are its objects, nil where they have not been read.
	pod, oldPod *corev1.Pod
}

// NewPods returns a handler for the webhook pods.headroom.dev.
func NewPods(o HandlerOptions) *Handler {
	h := newHandler(o)
	h.webhook, h.read, h.review = podsLabel, decode.Pods, h.reviewPod
	return h
}

func newHandler(o HandlerOptions) *Handler {
	if o.Metrics == nil {
		o.Metrics = NewMetrics(nil)
	}
	if o.Clock == nil {
		o.Clock = clock.RealClock{}
	}
	if o.Limits == nil {
		o.Limits = newLimits()
	}
	return &Handler{HandlerOptions: o, read: decode.Any, said: &said{}}
}

// ServeHTTP implements [http.Handler].
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	defer func() {
		// Whatever is computed from a request runs under the recover of judge, which admits. This one is for what is around it.
		if p := recover(); p != nil {
			h.panicked(p)
			http.Error(w, "internal error: the request was not judged", http.StatusInternalServerError)
		}
	}()
	start := h.Clock.Now()
	switch {
	case r.Method != http.MethodPost:
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "send an AdmissionReview by POST", http.StatusMethodNotAllowed)
		return
	case r.ContentLength > maxBodyBytes:
		h.unreadable(w, &http.MaxBytesError{Limit: maxBodyBytes})
		return
	}
	timeout := timeoutOf(r)
	// The last tenth is for the way back: an answer that comes too late carries no annotation.
	ctx, cancel := context.WithDeadline(r.Context(), start.Add(timeout/10*9))
	defer cancel()
	if isLarge(r) {
		expectBy(w, start.Add(timeout))
		leave, entered := h.Limits.enterLarge(ctx, timeout/4)
		if !entered {
			h.shedUnread(w, r)
			return
		}
		defer leave()
	}
	body := newBuffer()
	if err := body.readAll(limited(w, r)); err != nil {
		body.release()
		h.unreadable(w, fmt.Errorf("read the AdmissionReview: %w", err))
		return
	}
	if h.serve(ctx, w, body, start.Add(timeout/2)) {
		body.release()
	}
}

// serve answers what body holds. It returns whether body is used no more.
func (h *Handler) serve(ctx context.Context, w http.ResponseWriter, body *buffer, waitUntil time.Time) bool {
	leave, entered := h.Limits.enter()
	if !entered {
		h.shed(w, body.bytes)
		return true
	}
	defer leave()
	review, err := h.read(body.bytes)
	if err != nil {
		h.unreadable(w, fmt.Errorf("the body is not an AdmissionReview: %w", err))
		return true
	}
	if review.Typed {
		h.Metrics.typedDecodes.Inc()
	}
	in := &incoming{AdmissionRequest: review.Request, version: review.APIVersion, pod: review.Object, oldPod: review.OldObject}
	response, done := h.answer(ctx, in, waitUntil)
	if done {
		body.bytes = body.bytes[:0]
		h.write(w, &body.bytes, response)
		return true
	}
	h.write(w, new([]byte), response)
	return false
}

// answer is the response to a request, whatever happens and in time. It waits for sizes until waitUntil at most. done is false
// where the request is still being looked at.
func (h *Handler) answer(ctx context.Context, in *incoming, waitUntil time.Time) (response *admissionv1.AdmissionResponse, done bool) {
	judged := make(chan outcome, 1)
	h.Limits.crew.do(func() { judged <- h.judge(ctx, in, waitUntil) })
	var o outcome
	select {
	case o = <-judged:
		done = true
	case <-ctx.Done():
		select {
		case o = <-judged: // Just in time: what was done about it holds.
			done = true
		default:
			o = undecided(in.AdmissionRequest, TimedOut, errors.New("no decision in the time that the API server gives"))
		}
	}
	h.count(in.AdmissionRequest, o)
	if h.Tell != nil && o.notice != nil && !isDryRun(in.AdmissionRequest) {
		h.Tell(*o.notice)
	}
	return o.response, done
}

// unreadable answers what is no review with a UID.
func (h *Handler) unreadable(w http.ResponseWriter, err error) {
	h.Metrics.undecided(h.webhook, Unreadable)
	// Not from the API server, most likely, and so nothing that anybody could fill the log with.
	if log := h.Log.V(1); log.Enabled() {
		log.Info("Request is not an AdmissionReview", "reason", oneLine(err.Error()))
	}
	status := http.StatusBadRequest
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		status = http.StatusRequestEntityTooLarge
	}
	http.Error(w, oneLine(err.Error()), status)
}

func (h *Handler) panicked(p any) {
	h.Metrics.panics.Inc()
	if h.said.lately("stack", h.Clock.Now()) {
		return // A controller tries again and again what makes one; the metric counts on.
	}
	h.Log.Error(fmt.Errorf("panic: %v", p), "Panic while judging a request, which is admitted", "stack", string(debug.Stack()))
}
