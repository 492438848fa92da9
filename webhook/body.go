// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	// ordinaryBytes is what buffers begin with: most reviews and all answers fit.
	ordinaryBytes = 16 << 10
	// maxPooledBytes is what a buffer may have grown to that is used again: a few large requests must not leave memory behind for
	// each connection.
	maxPooledBytes = largeBodyBytes
)

// buffer holds the body of a request, and then that of the answer.
type buffer struct{ bytes []byte }

var buffers = sync.Pool{New: func() any { return &buffer{bytes: make([]byte, 0, ordinaryBytes)} }}

func newBuffer() *buffer {
	b, _ := buffers.Get().(*buffer) // Nothing else is ever put in.
	return b
}

// release lets others use it. Nothing may use its bytes any more, nor what was decoded without copying.
func (b *buffer) release() {
	if cap(b.bytes) <= maxPooledBytes {
		b.bytes = b.bytes[:0]
		buffers.Put(b)
	}
}

// readAll reads body to its end. It grows with what comes, not with what a client says will come.
func (b *buffer) readAll(body io.Reader) error {
	b.bytes = b.bytes[:0]
	for {
		if len(b.bytes) == cap(b.bytes) {
			b.bytes = slices.Grow(b.bytes, len(b.bytes)+1)
		}
		n, err := body.Read(b.bytes[len(b.bytes):cap(b.bytes)])
		b.bytes = b.bytes[:len(b.bytes)+n]
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
	}
}

// timeoutOf is how long the API server waits for the answer to r, which it says in the query.
func timeoutOf(r *http.Request) time.Duration {
	text, alone := strings.CutPrefix(r.URL.RawQuery, "timeout=")
	if !alone || strings.ContainsAny(text, "&;%+") {
		text = r.URL.Query().Get("timeout")
	}
	timeout, err := time.ParseDuration(text)
	if err != nil || timeout <= 0 {
		return defaultTimeout
	}
	return min(timeout, maxTimeout)
}
