// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package synthapi

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"sync/atomic"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
)

// counted counts what is written, and keeps the first error.
type counted struct {
	w     io.Writer
	bytes *atomic.Uint64
	err   error
	// left is how much is written before errBroken, nil for no bound.
	left *int
}

// errBroken ends what a fault breaks off.
var errBroken = errors.New("broken off by a fault")

// Write implements io.Writer.
func (c *counted) Write(p []byte) (int, error) {
	if c.left != nil && len(p) > *c.left {
		_, _ = c.w.Write(p[:*c.left]) // it is broken off anyway
		*c.left, c.err = 0, errBroken
		return 0, errBroken
	}
	n, err := c.w.Write(p)
	if c.left != nil {
		*c.left -= n
	}
	c.bytes.Add(uint64(n)) //nolint:gosec // not below 0
	if err != nil && c.err == nil {
		c.err = err
	}
	return n, err
}

// stream writes the events of one watch. They are held until there are many, or write is called.
type stream struct {
	ctx        context.Context
	collection *collection
	protobuf   bool
	rate       int // bytes a second, 0 for no bound
	out        counted
	flush      func()
	buffer     []byte
	events     uint64
	broken     bool
}

const streamBuffer = 64 << 10

func (s *stream) event(kind watch.EventType, i *item) {
	s.events++
	if s.protobuf {
		s.add(s.collection.appendFrame(s.buffer, kind, i))
		return
	}
	encoded, err := s.collection.appendJSON(nil, i, false)
	if err != nil {
		s.out.err = err
		return
	}
	s.add(appendJSONEvent(s.buffer, kind, encoded))
}

func appendJSONEvent(b []byte, kind watch.EventType, encoded []byte) []byte {
	b = append(append(b, `{"type":"`...), kind...)
	return append(append(append(b, `","object":`...), encoded...), "}\n"...)
}

// status writes an event that ends the watch.
func (s *stream) status(err *apierrors.StatusError) {
	status := statusOf(err)
	s.other(watch.Error, statusEnvelope, &status)
}

// bookmark writes the version up to which everything has been sent, and whether all that there was at first has been.
func (s *stream) bookmark(version uint64, initialEnd bool) {
	o, err := s.collection.newObject()
	if err != nil {
		s.out.err = err
		return
	}
	o.GetObjectKind().SetGroupVersionKind(s.collection.gvk())
	o.SetResourceVersion(strconv.FormatUint(version, 10))
	if initialEnd {
		o.SetAnnotations(map[string]string{metav1.InitialEventsAnnotationKey: "true"})
	}
	s.other(watch.Bookmark, s.collection.wire.object, o)
}

func (s *stream) other(kind watch.EventType, e envelope, o interface{ Marshal() ([]byte, error) }) {
	if s.protobuf {
		s.add(appendMarshalledFrame(s.buffer, kind, e, o))
	} else {
		encoded, err := json.Marshal(o)
		if err != nil {
			s.out.err = err
			return
		}
		s.add(appendJSONEvent(s.buffer, kind, encoded))
	}
	s.write()
}

func (s *stream) add(b []byte) {
	s.buffer = b
	if len(b) >= streamBuffer {
		s.write()
	}
}

// write sends what is held.
func (s *stream) write() {
	if len(s.buffer) == 0 || s.out.err != nil {
		return
	}
	if s.rate > 0 {
		s.trickle()
	} else {
		_, _ = s.out.Write(s.buffer) // the error is kept
		s.flush()
	}
	s.buffer = s.buffer[:0]
}

// trickle sends what is held at the stream's rate, ten times a second a part.
func (s *stream) trickle() {
	for b := s.buffer; len(b) > 0 && s.out.err == nil; {
		n := min(len(b), max(1, s.rate/10))
		_, _ = s.out.Write(b[:n]) // the error is kept
		s.flush()
		b = b[n:]
		select {
		case <-s.ctx.Done():
			s.out.err = s.ctx.Err()
		case <-time.After(100 * time.Millisecond): //nolint:forbidigo // a slow stream is slow in real time
		}
	}
}

// breakOff sends half of an event and nothing more.
func (s *stream) breakOff() {
	half := s.collection.wire.object.head
	s.buffer = append(beginFrame(s.buffer, watch.Added, 1<<16), half...)
	s.write()
	s.broken = true
}
