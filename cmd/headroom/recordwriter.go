// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/go-logr/logr"
	admissionv1 "k8s.io/api/admission/v1"

	"github.com/headroom-dev/headroom/ledger"
)

// maxRecordedBytes is where recording ends, so that it never fills a disk. What is in the folder from before counts, too: a
// process may be started again and again.
const maxRecordedBytes = 1 << 30

var errFull = errors.New("the folder has all the recordings that it may: delete some and start again")

// recordWriter writes recordings.
type recordWriter struct {
	folder string
	log    logr.Logger
	count  int
	bytes  int64 // of all recordings there
	full   bool  // which has been said
	// last is the snapshot that lastText is of: a burst of reviews has one.
	last     *ledger.Snapshot
	lastText json.RawMessage
}

func (w *recordWriter) writeAll(all []answered) {
	var (
		lost int
		why  error
	)
	for i := range all {
		if err := w.write(&all[i]); err != nil {
			lost, why = lost+1, err
		}
	}
	if lost > 0 && !w.full {
		w.full = errors.Is(why, errFull)
		w.log.Error(why, "Reviews are not recorded", "reviews", lost, "folder", w.folder)
	}
}

func (w *recordWriter) write(one *answered) error {
	if w.bytes > maxRecordedBytes {
		return errFull
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
	return w.put(fmt.Sprintf("%s-%06d.json", one.moment.now.UTC().Format("20060102T150405"), w.count), append(body, '\n'))
}

// put makes a file that nobody else may read, and that has its name when it is whole.
func (w *recordWriter) put(name string, body []byte) error {
	part, err := os.CreateTemp(w.folder, ".part-") // with mode 0600
	if err != nil {
		return err
	}
	_, err = part.Write(body)
	if err = errors.Join(err, part.Close()); err == nil {
		err = os.Rename(part.Name(), filepath.Join(w.folder, name))
	}
	if err != nil {
		return errors.Join(err, os.Remove(part.Name()))
	}
	w.bytes += int64(len(body))
	return nil
}

// bytesOfRecordings is how much there is in a folder already.
func bytesOfRecordings(folder string) (sum int64, err error) {
	files, err := os.ReadDir(folder)
	for _, file := range files {
		if info, gone := file.Info(); gone == nil && filepath.Ext(file.Name()) == ".json" {
			sum += info.Size()
		}
	}
	return sum, err
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
