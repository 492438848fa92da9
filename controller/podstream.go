// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/streaming"
	"k8s.io/apimachinery/pkg/util/framer"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/headroom-dev/headroom/ledger"
)

const (
	// frameBuffer is what is read at a time of a streaming list, of which an event is about a tenth.
	frameBuffer = 64 << 10
	// maxFrame is as large as client-go takes an event (k8s.io/apimachinery/pkg/runtime/serializer/streaming).
	maxFrame = 16 << 20
	// progressEvery is of how many pods the reflector hears nothing: it warns where nothing comes for 10 seconds, and takes a stream
	// that broke off without anything for one that the API server can't do.
	progressEvery = 256
)

// errSuperseded ends a streaming list that another one has taken the place of.
var errSuperseded = errors.New("another list of pods has begun")

// podListing is a streaming list of pods under way: each goes where pods go while it is bytes in a buffer. What a reflector does with
// it instead costs a copy of each, a handover between goroutines, and for half a million pods 80 MB of names and UIDs.
type podListing struct {
	queue *podQueue
	// listed are the pods that came, all of them once ended.
	listed ledger.UIDs
	ended  bool

	pod    leanPod // the one at hand
	buffer []byte
	taken  int
}

// take takes in an event of the list as it is on the wire, and returns what the reflector is to get instead, nil for nothing: the
// event itself where it is none of a pod that can be read as it is.
func (l *podListing) take(event []byte) (rest []byte, err error) {
	lean, kept, whole := eventWire.filter(l.buffer[:0], event)
	l.buffer = lean
	if !kept || !whole {
		return event, nil
	}
	kind, object := partsOfEvent(lean)
	pod := bytesOf(envelopedPod, object)
	if watch.EventType(kind) == watch.Bookmark {
		l.ended = endsList(pod)
		return event, nil
	}
	if pod == nil || !l.pod.read(pod) {
		return event, nil
	}
	taken, err := l.queue.take(l, watch.EventType(kind))
	if err != nil {
		return nil, err
	}
	if !taken {
		return event, nil
	}
	l.taken++
	if l.taken%progressEvery != 1 {
		return nil, nil
	}
	return progressAt(l.pod.ResourceVersion)
}

// partsOfEvent returns the type of an event as eventWire leaves it, and its object.
func partsOfEvent(event []byte) (kind string, object []byte) {
	for f := range fieldsOf(event) {
		switch f.number {
		case 1:
			kind = string(f.content)
		case 2:
			if raw, whole := nextField(f.content); whole && raw.number == 1 {
				object = raw.content
			}
		}
	}
	return kind, object
}

// endsList reports whether a bookmark says that the list is complete.
func endsList(pod []byte) bool {
	var p corev1.Pod
	return p.Unmarshal(pod) == nil && p.Annotations[metav1.InitialEventsAnnotationKey] == "true"
}

// progressAt is a bookmark as it is on the wire.
func progressAt(version string) ([]byte, error) {
	pod, err := (&corev1.Pod{ObjectMeta: metav1.ObjectMeta{ResourceVersion: version}}).Marshal()
	if err != nil {
		return nil, err
	}
	unknown, err := (&runtime.Unknown{TypeMeta: runtime.TypeMeta{APIVersion: "v1", Kind: "Pod"}, Raw: pod}).Marshal()
	if err != nil {
		return nil, err
	}
	object := runtime.RawExtension{Raw: slices.Concat(protobufPrefix, unknown)}
	return (&metav1.WatchEvent{Type: string(watch.Bookmark), Object: object}).Marshal()
}

// listingFramer takes the frames of a stream apart for a listing.
type listingFramer struct {
	runtime.Framer

	listing *podListing
}

// NewFrameReader implements [runtime.Framer].
func (f listingFramer) NewFrameReader(r io.ReadCloser) io.ReadCloser {
	buffered := bufio.NewReaderSize(r, frameBuffer)
	return &listedFrames{Closer: r, listing: f.listing, in: buffered, later: framer.NewLengthDelimitedFrameReader(readCloser{buffered, r})}
}

type readCloser struct {
	io.Reader
	io.Closer
}

// listedFrames reads the frames that a listing leaves, and all that come after its end.
type listedFrames struct {
	io.Closer

	listing *podListing
	in      *bufio.Reader
	later   io.Reader
	frame   []byte // is used again
	rest    []byte // of what the reader is to get
}

// Read implements [io.Reader] as a frame reader does: it reads one frame, or a part of it and fails with io.ErrShortBuffer.
func (f *listedFrames) Read(data []byte) (int, error) {
	for len(f.rest) == 0 {
		if f.listing == nil {
			return f.later.Read(data)
		}
		if err := f.next(); err != nil {
			return 0, err
		}
	}
	n := copy(data, f.rest)
	if f.rest = f.rest[n:]; len(f.rest) > 0 {
		return n, io.ErrShortBuffer
	}
	if f.listing != nil && f.listing.ended {
		f.listing, f.frame, f.rest = nil, nil, nil
	}
	return n, nil
}

// next reads one frame and keeps what is left of it.
func (f *listedFrames) next() error {
	var header [4]byte
	if _, err := io.ReadFull(f.in, header[:]); err != nil {
		return err
	}
	size := int(binary.BigEndian.Uint32(header[:]))
	if size > maxFrame {
		return fmt.Errorf("an event of %d bytes: %w", size, streaming.ErrObjectTooLarge)
	}
	if cap(f.frame) < size {
		f.frame = make([]byte, size)
	}
	f.frame = f.frame[:size]
	if _, err := io.ReadFull(f.in, f.frame); err != nil {
		if errors.Is(err, io.EOF) {
			return io.ErrUnexpectedEOF
		}
		return err
	}
	rest, err := f.listing.take(f.frame)
	f.rest = rest
	return err
}
