// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"context"
	"errors"
	"io"
	"net/http"
	"runtime"
	"sync/atomic"
	"time"

	admissionv1 "k8s.io/api/admission/v1"

	"github.com/headroom-dev/headroom/fit"
	"github.com/headroom-dev/headroom/webhook/decode"
)

const (
	// maxLargeBodies are read and judged at a time, so that whoever reaches the port can't fill the memory with what is not even a
	// review.
	maxLargeBodies = 8
	// maxInFlightPerProcessor are the requests that are judged or wait for it, for each processor. One takes a processor about a
	// tenth of a millisecond, so that the last in the queue waits about 50 milliseconds. Who comes then is not judged.
	maxInFlightPerProcessor = 512
	// unreadPrefix is how much is read of a large request that is not judged, to find whom to answer. The API server writes the UID first.
	unreadPrefix = 4 << 10
)

// Overloaded is why a request was not judged that came when there were too many: a label and an annotation.
const Overloaded fit.Reason = "overloaded"

var errOverloaded = errors.New("too many requests at once: this one was not judged")

// Limits bounds what handlers do at the same time.
type Limits struct {
	// slots bounds the evaluations: they are pure computation, more than the processors can do only makes each of them late. It
	// also bounds what an evaluation that never ends could pile up.
	slots chan struct{}
	// large bounds the requests with a large body.
	large chan struct{}
	// inFlight are the requests that have been read and not answered, and mostInFlight bounds them.
	inFlight     atomic.Int64
	mostInFlight int64
	// crew judges requests, so that one that hangs is answered all the same; it may be nil.
	crew *crew
}

// NewLimits returns the limits of one process. Goroutines that have judged wait for a moment for more.
func NewLimits() *Limits {
	l := newLimits()
	l.crew = newCrew()
	return l
}

// newLimits returns limits that leave no goroutine waiting.
func newLimits() *Limits {
	return &Limits{
		slots:        make(chan struct{}, max(8, 2*runtime.GOMAXPROCS(0))),
		large:        make(chan struct{}, maxLargeBodies),
		mostInFlight: int64(maxInFlightPerProcessor * runtime.GOMAXPROCS(0)),
	}
}

// enter counts a request in, unless there are too many.
func (l *Limits) enter() (leave func(), entered bool) {
	if l.inFlight.Add(1) > l.mostInFlight {
		l.inFlight.Add(-1)
		return nil, false
	}
	return func() { l.inFlight.Add(-1) }, true
}

// enterLarge waits for a place among the requests with a large body, for a while.
func (l *Limits) enterLarge(ctx context.Context, patience time.Duration) (leave func(), entered bool) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	select {
	case l.large <- struct{}{}:
		return func() { <-l.large }, true
	case <-ctx.Done():
		return nil, false
	}
}

// isLarge reports whether a body is large, or may be.
func isLarge(r *http.Request) bool { return r.ContentLength < 0 || r.ContentLength > largeBodyBytes }

// limited is the body of a request. Where its length is known, it is what net/http lets through.
func limited(w http.ResponseWriter, r *http.Request) io.Reader {
	if r.ContentLength >= 0 && r.ContentLength <= maxBodyBytes {
		return r.Body
	}
	return http.MaxBytesReader(w, r.Body, maxBodyBytes)
}

// expectBy has the rest of a request come until then: who takes longer has no answer to wait for, and keeps others from one of
// few places. Where a recorder is in between, the server's own limit holds.
func expectBy(w http.ResponseWriter, until time.Time) {
	_ = http.NewResponseController(w).SetReadDeadline(until)
}

// shed admits a request for which there is no time, at next to no cost.
func (h *Handler) shed(w http.ResponseWriter, body []byte) {
	uid, found := decode.UID(body)
	if !found {
		h.Metrics.undecided(h.webhook, Overloaded)
		http.Error(w, errOverloaded.Error(), http.StatusServiceUnavailable)
		return
	}
	req := &admissionv1.AdmissionRequest{UID: uid}
	o := undecided(req, Overloaded, errOverloaded)
	h.count(req, o)
	h.write(w, new([]byte), o.response)
}

// shedUnread does so for a large request, of which no more than the beginning is ever in memory.
func (h *Handler) shedUnread(w http.ResponseWriter, r *http.Request) {
	body := limited(w, r)
	prefix := make([]byte, unreadPrefix)
	n, _ := io.ReadFull(body, prefix) // What is missing is not found.
	// A client may not listen before it has said everything.
	_, _ = io.Copy(io.Discard, body)
	h.shed(w, prefix[:n])
}
