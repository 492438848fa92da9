// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	admissionv1 "k8s.io/api/admission/v1"

	"github.com/headroom-dev/headroom/webhook"
)

const (
	// maxQueuedRecords may wait to be written, and as many be about to; more are left out. A record shares most of its snapshot
	// with the ledger.
	maxQueuedRecords = 1024
	// maxHeldBytes bounds the requests and answers among these: one request may have 7 MiB.
	maxHeldBytes = 64 << 20
	// writeWithin is how long the recorder waits at most for a moment in which no reviews come, in which to write.
	writeWithin = time.Minute
	// looksEvery is how often a recorder that has nothing to write looks whether reviews had to be left out.
	looksEvery = 3 * time.Second
)

// recorder keeps each review that something was said to, with all that was known, in files of a folder. What it does on the
// request path is to remember; it writes in the background.
type recorder struct {
	folder string
	// delay is how long no review may come before the recorder takes the time to write.
	delay time.Duration
	// before is how many bytes of recordings the folder had.
	before int64
	// sources are what reviews are judged by.
	sources recorded
	log     logr.Logger

	queue chan answered
	// held is how many bytes of requests and answers wait, and left how many reviews have been left out since that was said.
	held, left atomic.Int64
}

// answered is a review with its answer.
type answered struct {
	moment            moment
	request, response []byte
}

func (a *answered) size() int64 { return int64(cap(a.request) + cap(a.response)) }

func newRecorder(folder string, delay time.Duration, sources recorded, log logr.Logger) (*recorder, error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, fmt.Errorf("--record: %w", err)
	}
	probe, err := os.CreateTemp(folder, ".probe-")
	if err != nil {
		return nil, fmt.Errorf("--record: no file can be made there: %w", err)
	}
	probe.Close()
	before, err := bytesOfRecordings(folder)
	if err = errors.Join(err, os.Remove(probe.Name())); err != nil {
		return nil, fmt.Errorf("--record: %w", err)
	}
	return &recorder{folder: folder, delay: delay, before: before, sources: sources, log: log, queue: make(chan answered, maxQueuedRecords)}, nil
}

// around records what next answers.
func (r *recorder) around(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		var request bytes.Buffer
		heard := r.sources.listen()
		req = req.WithContext(webhook.WithSources(req.Context(), heard.sources()))
		req.Body = teeBody{io.TeeReader(req.Body, &request), req.Body}
		kept := &keptResponse{ResponseWriter: w}
		next.ServeHTTP(kept, req)
		var review admissionv1.AdmissionReview
		if err := json.Unmarshal(kept.body.Bytes(), &review); err != nil || !saysSomething(review.Response) {
			return
		}
		r.keep(answered{moment: heard.moment(), request: request.Bytes(), response: kept.body.Bytes()})
	})
}

// keep has a review written, if there is room for it.
func (r *recorder) keep(one answered) {
	if r.held.Add(one.size()) <= maxHeldBytes {
		select {
		case r.queue <- one:
			return
		default:
		}
	}
	r.held.Add(-one.size())
	r.left.Add(1)
}

// saysSomething reports whether an answer has a sentence about what it is the answer to, for whomever.
func saysSomething(response *admissionv1.AdmissionResponse) bool {
	return response != nil && (!response.Allowed || len(response.Warnings) > 0 || response.AuditAnnotations["message"] != "")
}

// Start implements manager.Runnable: it writes until ctx is done, and then what is left by then. To write takes the time of
// processors that a burst of reviews needs, so that it waits until no more come, or many have, or some for long.
func (r *recorder) Start(ctx context.Context) error {
	w := &recordWriter{folder: r.folder, log: r.log, bytes: r.before}
	var (
		waiting []answered
		late    <-chan time.Time
	)
	for {
		calm := r.delay
		if len(waiting) == 0 {
			calm = max(calm, looksEvery)
		}
		select {
		case one := <-r.queue:
			if waiting = append(waiting, one); len(waiting) == 1 {
				late = time.After(writeWithin)
			}
			if len(waiting) < maxQueuedRecords && r.held.Load() < maxHeldBytes/2 {
				continue
			}
		case <-time.After(calm):
		case <-late:
		case <-ctx.Done():
			for len(r.queue) > 0 {
				waiting = append(waiting, <-r.queue)
			}
			r.write(w, waiting)
			return nil
		}
		r.write(w, waiting)
		waiting, late = nil, nil
	}
}

func (r *recorder) write(w *recordWriter, waiting []answered) {
	w.writeAll(waiting)
	for i := range waiting {
		r.held.Add(-waiting[i].size())
	}
	if n := r.left.Swap(0); n > 0 {
		r.log.Info("Reviews are not recorded: too many were waiting to be written", "reviews", n)
	}
}

// teeBody is a body of which is kept what is read.
type teeBody struct {
	io.Reader
	io.Closer
}

// keptResponse keeps the body that is written.
type keptResponse struct {
	http.ResponseWriter
	body bytes.Buffer
}

func (k *keptResponse) Write(p []byte) (int, error) {
	k.body.Write(p)
	return k.ResponseWriter.Write(p)
}
