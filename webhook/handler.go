// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime/debug"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"k8s.io/utils/clock"
)

const (
	// maxBodyBytes is more than twice the 3 MiB that the API server takes for one request (GenericAPIServer's
	// MaxRequestBodyBytes): a review holds the object once, and on UPDATE the one it replaces.
	maxBodyBytes = 7 << 20
	// largeBodyBytes is where a body counts as large. An ordinary review has 5 to 20 kB. maxLargeBodies are read and judged
	// at a time, so that whoever reaches the port can't fill the memory with what is not even a review.
	largeBodyBytes = 128 << 10
	maxLargeBodies = 8
	// defaultTimeout and maxTimeout are the API server's, see ValidatingWebhook.timeoutSeconds.
	defaultTimeout = 10 * time.Second
	maxTimeout     = 30 * time.Second
)

// Handler answers the AdmissionReviews of one webhook. It is safe for concurrent use.
type Handler struct {
	HandlerOptions
	// webhook is the label of the webhook in metrics and log lines.
	webhook string
	// review judges one request, under judge's recover. It may use the time until waitUntil for what it waits for.
	review func(ctx context.Context, req *admissionv1.AdmissionRequest, waitUntil time.Time) outcome
	said   *said
}

// NewPods returns a handler for the webhook pods.headroom.dev.
func NewPods(o HandlerOptions) *Handler {
	h := newHandler(o)
	h.webhook, h.review = podsLabel, h.reviewPod
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
		o.Limits = NewLimits()
	}
	return &Handler{HandlerOptions: o, said: &said{}}
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
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "send an AdmissionReview by POST", http.StatusMethodNotAllowed)
		return
	}
	timeout := timeoutOf(r)
	// The last tenth is for the way back: an answer that comes too late carries no annotation.
	ctx, cancel := context.WithDeadline(r.Context(), start.Add(timeout/10*9))
	defer cancel()
	if r.ContentLength < 0 || r.ContentLength > largeBodyBytes {
		select {
		case h.Limits.large <- struct{}{}:
			defer func() { <-h.Limits.large }()
		case <-ctx.Done():
			h.Metrics.undecided(h.webhook, TimedOut)
			http.Error(w, "too many large requests at once: this one was not read", http.StatusServiceUnavailable)
			return
		}
	}
	req, version, err := readReview(http.MaxBytesReader(w, r.Body, maxBodyBytes))
	if err != nil {
		h.Metrics.undecided(h.webhook, Unreadable)
		// Not from the API server, most likely, and so nothing that anybody could fill the log with.
		h.Log.V(1).Info("Request is not an AdmissionReview", "reason", oneLine(err.Error()))
		status := http.StatusBadRequest
		if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
			status = http.StatusRequestEntityTooLarge
		}
		http.Error(w, oneLine(err.Error()), status)
		return
	}
	h.write(w, h.answer(ctx, req, version, start.Add(timeout/2)))
}

// answer is the response to req, whatever happens and in time. It waits for sizes until waitUntil at most.
func (h *Handler) answer(ctx context.Context, req *admissionv1.AdmissionRequest, version string, waitUntil time.Time) *admissionv1.AdmissionResponse {
	done := make(chan outcome, 1)
	go func() { done <- h.judge(ctx, req, version, waitUntil) }()
	var o outcome
	select {
	case o = <-done:
	case <-ctx.Done():
		select {
		case o = <-done: // Just in time: what was done about it holds.
		default:
			o = undecided(req, TimedOut, errors.New("no decision in the time that the API server gives"))
		}
	}
	h.count(req, o)
	if h.Tell != nil && o.notice != nil && !isDryRun(req) {
		h.Tell(*o.notice)
	}
	return o.response
}

func (h *Handler) write(w http.ResponseWriter, response *admissionv1.AdmissionResponse) {
	body, err := json.Marshal(&admissionv1.AdmissionReview{
		TypeMeta: metav1.TypeMeta{APIVersion: admissionv1.SchemeGroupVersion.String(), Kind: "AdmissionReview"},
		Response: response,
	})
	if err != nil {
		h.Metrics.undecided(h.webhook, Unreadable)
		h.Log.Error(err, "AdmissionReview can't be encoded")
		http.Error(w, "internal error: the answer can't be encoded", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if _, err := w.Write(body); err != nil {
		h.Log.V(1).Info("Answer was not taken", "reason", err.Error())
	}
}

func (h *Handler) panicked(p any) {
	h.Metrics.panics.Inc()
	if h.said.lately("stack", h.Clock.Now()) {
		return // A controller tries again and again what makes one; the metric counts on.
	}
	h.Log.Error(fmt.Errorf("panic: %v", p), "Panic while judging a request, which is admitted", "stack", string(debug.Stack()))
}

// readReview returns the request in an AdmissionReview and the review's version. Any version that has a request with a UID
// can be answered: the API server takes v1 whatever it asked in.
func readReview(body io.Reader) (*admissionv1.AdmissionRequest, string, error) {
	data, err := io.ReadAll(body)
	if err != nil {
		return nil, "", fmt.Errorf("read the AdmissionReview: %w", err)
	}
	var review admissionv1.AdmissionReview
	if err := utiljson.Unmarshal(data, &review); err != nil {
		return nil, "", fmt.Errorf("the body is not an AdmissionReview: %w", err)
	}
	if review.Request == nil || review.Request.UID == "" {
		return nil, "", errors.New("the body is not an AdmissionReview: request.uid is missing")
	}
	return review.Request, review.APIVersion, nil
}

// timeoutOf is how long the API server waits for the answer to r, which it says in the query.
func timeoutOf(r *http.Request) time.Duration {
	timeout, err := time.ParseDuration(r.URL.Query().Get("timeout"))
	if err != nil || timeout <= 0 {
		return defaultTimeout
	}
	return min(timeout, maxTimeout)
}
