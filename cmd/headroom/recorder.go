// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/go-logr/logr"
	admissionv1 "k8s.io/api/admission/v1"

	"github.com/headroom-dev/headroom/webhook"
)

const (
	// maxQueuedRecords may wait to be written; more are left out. A record shares most of its snapshot with the ledger.
	maxQueuedRecords = 1024
	// calmAfter is how long no review may come before the recorder takes the time to write.
	calmAfter = 3 * time.Second
)

// recorder keeps each review that something was said to, with all that was known, in files of a folder. What it does on the
// request path is to remember; it writes in the background.
type recorder struct {
	folder string
	// sources are what reviews are judged by.
	sources recorded
	log     logr.Logger

	queue chan answered
}

// answered is a review with its answer.
type answered struct {
	moment            moment
	request, response []byte
}

func newRecorder(folder string, sources recorded, log logr.Logger) (*recorder, error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, fmt.Errorf("--record: %w", err)
	}
	probe, err := os.CreateTemp(folder, ".probe-")
	if err != nil {
		return nil, fmt.Errorf("--record: no file can be made there: %w", err)
	}
	probe.Close()
	return &recorder{folder: folder, sources: sources, log: log, queue: make(chan answered, maxQueuedRecords)}, os.Remove(probe.Name())
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
		select {
		case r.queue <- answered{moment: heard.moment(), request: request.Bytes(), response: kept.body.Bytes()}:
		default:
			r.log.Info("A review is not recorded: too many are waiting to be written", "requestUID", review.Response.UID)
		}
	})
}

// saysSomething reports whether an answer has a sentence about what it is the answer to, for whomever.
func saysSomething(response *admissionv1.AdmissionResponse) bool {
	return response != nil && (!response.Allowed || len(response.Warnings) > 0 || response.AuditAnnotations["message"] != "")
}

// Start implements manager.Runnable: it writes until ctx is done, and then what is left. To write takes the time of processors
// that a burst of reviews needs, so that it waits until no more come, or many have.
func (r *recorder) Start(ctx context.Context) error {
	w := &recordWriter{folder: r.folder, log: r.log}
	var waiting []answered
	for {
		select {
		case one := <-r.queue:
			if waiting = append(waiting, one); len(waiting) < maxQueuedRecords {
				continue
			}
		case <-time.After(calmAfter):
		case <-ctx.Done():
			for len(r.queue) > 0 {
				waiting = append(waiting, <-r.queue)
			}
			w.writeAll(waiting)
			return nil
		}
		w.writeAll(waiting)
		waiting = nil
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
