// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"context"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Docker Hub is asked at another name than its images have.
const (
	dockerHub       = "docker.io"
	dockerHubServer = "index.docker.io"
)

// Every host is asked at most so often, whatever its budget.
const (
	requestsPerSecond = 5
	requestBurst      = 10
	// Blobs are read from where pulls are served: no registry counts parts of them as pulls.
	blobsPerSecond = 50
	blobBurst      = 100
	// longestPacing is how long a worker waits for its turn.
	longestPacing = 2 * time.Second
	// unreachablePause keeps one host that does not answer from taking all workers.
	unreachablePause = 15 * time.Second
	// limitedPause is for a 429 that does not say how long.
	limitedPause = 5 * time.Minute
)

// hosts remembers how often each host may still be asked. There are as many as
// the operator lists.
type hosts struct {
	budgets map[string]Budget

	mu     sync.Mutex // guards byName
	byName map[string]*host
}

type host struct {
	pace   *rate.Limiter
	blobs  *rate.Limiter
	budget *rate.Limiter // nil for none
	until  time.Time     // not to be asked before
	why    *Error
	// noBlobs is until when nothing is read of layers.
	noBlobs time.Time
}

func newHosts(budgets map[string]Budget) *hosts {
	return &hosts{budgets: budgets, byName: map[string]*host{}}
}

func (h *hosts) get(name string) *host {
	if known, ok := h.byName[name]; ok {
		return known
	}
	made := &host{pace: rate.NewLimiter(requestsPerSecond, requestBurst), blobs: rate.NewLimiter(blobsPerSecond, blobBurst)}
	if b, ok := h.budgets[name]; ok {
		made.budget = rate.NewLimiter(rate.Limit(float64(b.Burst)/b.Per.Seconds()), b.Burst)
	}
	h.byName[name] = made
	return made
}

// paused returns why a host is not asked now, nil if it may be.
func (h *hosts) paused(name string, now time.Time) *Error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if known := h.get(name); now.Before(known.until) {
		return known.why
	}
	return nil
}

// pause keeps a host from being asked for a while.
func (h *hosts) pause(name string, until time.Time, why *Error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if known := h.get(name); until.After(known.until) {
		known.until, known.why = until, why
	}
}

// use is what a question is to a host.
type use struct {
	counted bool // it takes one from the budget
	spare   bool // nobody waits for the answer: half of what there is stays for others
}

// take waits for the host's pace and takes from its budget.
func (h *hosts) take(ctx context.Context, name string, now time.Time, u use) error {
	if u.spare {
		waited, err := h.leave(ctx, name, now, u.counted)
		if err != nil {
			return err
		}
		now = now.Add(waited)
	}
	h.mu.Lock()
	known := h.get(name)
	if u.counted && known.budget != nil && !known.budget.AllowN(now, 1) {
		until := now.Add(budgetDelay(known.budget, now))
		h.mu.Unlock()
		e := failure(RateLimited, nil, "the budget of questions to %s is used up until %s", name, until.UTC().Format(time.RFC3339))
		e.until = until
		return e
	}
	reservation := known.pace.ReserveN(now, 1)
	wait := reservation.DelayFrom(now)
	if wait > longestPacing {
		reservation.CancelAt(now)
	}
	h.mu.Unlock()
	if wait > longestPacing {
		e := failure(RateLimited, nil, "too many questions to %s at once", name)
		e.until = now.Add(wait)
		return e
	}
	return sleep(ctx, wait)
}

// leave keeps half of what there is for others: it waits for the pace, and fails where
// the budget is too low for a question that nobody waits for.
func (h *hosts) leave(ctx context.Context, name string, now time.Time, counted bool) (waited time.Duration, err error) {
	h.mu.Lock()
	known := h.get(name)
	var until time.Duration
	if counted && known.budget != nil {
		until = untilHalfFull(known.budget, now)
	}
	waited = untilHalfFull(known.pace, now)
	h.mu.Unlock()
	if until > 0 {
		e := failure(RateLimited, nil, "what is left of the budget of questions to %s is for images that somebody waits for", name)
		e.until, e.putOff = now.Add(until), true
		return 0, e
	}
	return waited, sleep(ctx, waited)
}

// untilHalfFull is the time until more than half of a limiter is left.
func untilHalfFull(l *rate.Limiter, now time.Time) time.Duration {
	missing := float64(l.Burst())/2 + 1 - l.TokensAt(now)
	if missing <= 0 {
		return 0
	}
	return time.Duration(missing / float64(l.Limit()) * float64(time.Second))
}

// takeBlob waits for the host's pace of reading blobs.
func (h *hosts) takeBlob(ctx context.Context, name string, now time.Time) error {
	h.mu.Lock()
	wait := h.get(name).blobs.ReserveN(now, 1).DelayFrom(now)
	h.mu.Unlock()
	return sleep(ctx, wait)
}

// pauseBlobs keeps layers from being read for a while.
func (h *hosts) pauseBlobs(name string, until time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if known := h.get(name); until.After(known.noBlobs) {
		known.noBlobs = until
	}
}

// mayReadBlobs says whether layers may be read now.
func (h *hosts) mayReadBlobs(name string, now time.Time) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return !now.Before(h.get(name).noBlobs)
}

func sleep(ctx context.Context, wait time.Duration) error {
	if wait <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// budgetDelay is the time until the budget has one again.
func budgetDelay(l *rate.Limiter, now time.Time) time.Duration {
	reservation := l.ReserveN(now, 1)
	defer reservation.CancelAt(now)
	return reservation.DelayFrom(now)
}
