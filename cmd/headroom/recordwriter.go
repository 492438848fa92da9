// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/go-logr/logr"
	admissionv1 "k8s.io/api/admission/v1"

	"github.com/headroom-dev/headroom/ledger"
)

// maxRecordedBytes is where recording ends, so that it never fills a disk.
const maxRecordedBytes = 1 << 30

// recordWriter writes recordings.
type recordWriter struct {
	folder         string
	log            logr.Logger
	count, written int
	// last is the snapshot that lastText is of: a burst of reviews has one.
	last     *ledger.Snapshot
	lastText json.RawMessage
}

func (w *recordWriter) writeAll(all []answered) {
	for i := range all {
		if err := w.write(&all[i]); err != nil {
			w.log.Error(err, "A review is not recorded")
		}
	}
}

func (w *recordWriter) write(one *answered) error {
	if w.written > maxRecordedBytes {
		return fmt.Errorf("%s has %d bytes of recordings: it gets no more until the next start", w.folder, w.written)
	}
	var review, said admissionv1.AdmissionReview
	if err := json.Unmarshal(one.request, &review); err != nil {
		return err
	}
	if err := json.Unmarshal(one.response, &said); err != nil {
		return err
	}
	review.Response = said.Response
	text, err := w.text(one.moment.snapshot)
	if err != nil {
		return err
	}
	body, err := json.Marshal(record(&one.moment, text, &review))
	if err != nil {
		return err
	}
	w.count++
	w.written += len(body)
	path := filepath.Join(w.folder, fmt.Sprintf("%s-%06d.json", one.moment.now.UTC().Format("20060102T150405"), w.count))
	if err := os.WriteFile(path+".part", append(body, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(path+".part", path)
}

func (w *recordWriter) text(s *ledger.Snapshot) (json.RawMessage, error) {
	if s == nil {
		return json.RawMessage("null"), nil
	}
	if w.last != s {
		text, err := json.Marshal(s.Write())
		if err != nil {
			return nil, err
		}
		w.last, w.lastText = s, text
	}
	return w.lastText, nil
}
