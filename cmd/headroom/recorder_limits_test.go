// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"

	"github.com/headroom-dev/headroom/policy"
)

// linesOf returns a log and what is in it.
func linesOf() (logr.Logger, func() string) {
	var lines strings.Builder
	return funcr.New(func(_, line string) { fmt.Fprintln(&lines, line) }, funcr.Options{}), lines.String
}

// aRecord is one whose request has so many bytes.
func aRecord(bytes int) answered {
	request := append([]byte(`{"request":{"uid":"u"}}`), make([]byte, bytes)...)
	for i := range request[len(request)-bytes:] {
		request[len(request)-bytes+i] = ' '
	}
	return answered{moment: moment{policy: policy.Default(), now: time.Unix(0, 0)}, request: request, response: []byte(`{"response":{"uid":"u"}}`)}
}

func recordings(t *testing.T, folder string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*"))
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// TestRecordsInMemoryAreBounded: by their number and by their size. How many were left out is said once, and not on the way of
// a request.
func TestRecordsInMemoryAreBounded(t *testing.T) {
	for what, c := range map[string]struct{ size, kept int }{
		"many small ones": {0, maxQueuedRecords},
		"large ones":      {8 << 20, 7},
	} {
		t.Run(what, func(t *testing.T) {
			log, lines := linesOf()
			r, err := newRecorder(t.TempDir(), 3*time.Second, recorded{}, log)
			if err != nil {
				t.Fatal(err)
			}
			one := aRecord(c.size)
			for range c.kept + 5 {
				r.keep(one)
			}
			if len(r.queue) != c.kept || r.held.Load() > maxHeldBytes || lines() != "" {
				t.Errorf("%d records with %d bytes are kept, want %d; log:\n%s", len(r.queue), r.held.Load(), c.kept, lines())
			}
			ended, cancel := context.WithCancel(t.Context())
			cancel()
			if err := r.Start(ended); err != nil {
				t.Fatal(err)
			}
			if n := len(recordings(t, r.folder)); n != c.kept || r.held.Load() != 0 {
				t.Errorf("%d recordings, want %d; %d bytes still count as held", n, c.kept, r.held.Load())
			}
			if said := lines(); strings.Count(said, "\n") != 1 || !strings.Contains(said, `"reviews"=5`) {
				t.Errorf("said %q, want one line about 5 reviews", said)
			}
		})
	}
}

// TestRecordingsComeWhileReviewsDo: also where there is never a quiet moment.
func TestRecordingsComeWhileReviewsDo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, err := newRecorder(t.TempDir(), 3*time.Second, recorded{}, logr.Discard())
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		go func() { _ = r.Start(ctx) }()
		for range int((writeWithin + r.delay) / time.Second) {
			r.keep(aRecord(0))
			time.Sleep(time.Second)
		}
		synctest.Wait()
		n := len(recordings(t, r.folder))
		cancel()
		synctest.Wait()
		if n < int(writeWithin/time.Second) {
			t.Errorf("%d recordings after %v, want those of the first %v", n, writeWithin+r.delay, writeWithin)
		}
	})
}

// TestRecordingsThatAreThereCount: a folder gets no more than it may, however often the process starts, and that is said once.
// Nobody else may read what is in it.
func TestRecordingsThatAreThereCount(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "made")
	log, lines := linesOf()
	write := func(times int) *recordWriter {
		t.Helper()
		r, err := newRecorder(folder, 3*time.Second, recorded{}, log)
		if err != nil {
			t.Fatal(err)
		}
		w := &recordWriter{folder: folder, log: log, bytes: r.before}
		for range times {
			w.writeAll([]answered{aRecord(0), aRecord(0)})
		}
		return w
	}
	first := write(1)
	if first.bytes == 0 || len(recordings(t, folder)) != 2 || lines() != "" {
		t.Fatalf("%d bytes in %v\n%s", first.bytes, recordings(t, folder), lines())
	}
	for _, path := range append(recordings(t, folder), folder) {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: %v, mode %v", path, err, info.Mode())
		}
	}
	if again := write(0); again.bytes != first.bytes {
		t.Errorf("%d bytes are found, %d were written", again.bytes, first.bytes)
	}
	large, err := os.Create(filepath.Join(folder, "large.json"))
	if err != nil {
		t.Fatal(err)
	}
	defer large.Close()
	if err := large.Truncate(maxRecordedBytes); err != nil { // a sparse file
		t.Fatal(err)
	}
	write(3)
	if n := len(recordings(t, folder)); n != 3 {
		t.Errorf("%d files, want no further one", n)
	}
	if said := lines(); strings.Count(said, "\n") != 1 || !strings.Contains(said, errFull.Error()) {
		t.Errorf("said %q, want once that the folder is full", said)
	}
}
