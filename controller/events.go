// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/klog/v2"
)

const (
	// eventQueue is how many Events may wait. More than that at a time are about the same thing.
	eventQueue = 256
	// eventAttempts and eventRetry are for an API server that is away for a moment.
	eventAttempts = 4
	eventRetry    = 2 * time.Second
	// maxEventMessage is the API server's limit (core validation, legacy Events have none; events.k8s.io has 1024).
	maxEventMessage = 1024
	// eventComponent is the source of all of them.
	eventComponent = "headroom"
)

// EventSink takes an Event without waiting for the API server.
type EventSink interface {
	Record(e Event)
}

// Event is what is said about one object.
type Event struct {
	// About is the object: kind, API version, name, UID; a namespace where it has one.
	About corev1.ObjectReference
	// Warning is set for what somebody should act on.
	Warning bool
	// Reason is one word in UpperCamelCase, stable for machines.
	Reason  string
	Message string
	// Key makes the Event's name, together with About. Replicas that say the same thing give the same key, and only the
	// first one's Event is kept.
	Key string
	At  time.Time
}

// Events writes Events to the API server in the background. They are hints: one that can't be written is dropped and
// counted, and nothing waits for it.
type Events struct {
	client  kubernetes.Interface
	queue   chan Event
	dropped *atomic.Uint64
	// tried is told about each attempt to write, and how it ended; nil for nobody.
	tried func(e Event, err error)
}

// NewEvents returns a writer that sends nothing before Start. Its client needs create on events in the namespace default
// (for nodes) and in those of the objects that Events are about.
func NewEvents(client kubernetes.Interface) *Events {
	return &Events{client: client, queue: make(chan Event, eventQueue), dropped: new(atomic.Uint64)}
}

// apart returns a writer with a queue of its own, which must be started, too. What it drops counts as dropped here.
func (s *Events) apart(queue int, tried func(Event, error)) *Events {
	return &Events{client: s.client, queue: make(chan Event, queue), dropped: s.dropped, tried: tried}
}

// Record implements EventSink.
func (s *Events) Record(e Event) { s.offer(e) }

// offer reports whether there was room for the Event in the queue.
func (s *Events) offer(e Event) bool {
	select {
	case s.queue <- e:
		return true
	default:
		s.dropped.Add(1)
		return false
	}
}

// Dropped returns how many Events could not be written since the start.
func (s *Events) Dropped() uint64 { return s.dropped.Load() }

// Start writes until ctx ends.
func (s *Events) Start(ctx context.Context) error {
	var failing problem
	for {
		select {
		case <-ctx.Done():
			return nil
		case e := <-s.queue:
			err := s.write(ctx, e)
			if ctx.Err() != nil {
				err = nil // Lost with the process, which is nobody's problem.
			}
			if err != nil {
				s.dropped.Add(1)
			}
			if what, isNew := failing.occurred(err); isNew {
				klog.FromContext(ctx).Error(err, "Event not written", "about", e.About.Name, "event", e.Reason, "reason", what)
			}
		}
	}
}

func (s *Events) write(ctx context.Context, e Event) error {
	object := eventObject(e)
	for attempt := 1; ; attempt++ {
		_, err := s.client.CoreV1().Events(object.Namespace).Create(ctx, object, metav1.CreateOptions{})
		if apierrors.IsAlreadyExists(err) {
			err = nil
		}
		if s.tried != nil && ctx.Err() == nil {
			s.tried(e, err)
		}
		switch {
		case err == nil, apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause):
			return nil // of a namespace that ends, nobody reads Events any more
		case attempt == eventAttempts, apierrors.IsForbidden(err), apierrors.IsInvalid(err), apierrors.IsNotFound(err):
			return err
		}
		if sleep(ctx, eventRetry); ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// eventObject returns the object for e. Events about objects without a namespace live in "default".
func eventObject(e Event) *corev1.Event {
	namespace := e.About.Namespace
	if namespace == "" {
		namespace = metav1.NamespaceDefault
	}
	kind := corev1.EventTypeNormal
	if e.Warning {
		kind = corev1.EventTypeWarning
	}
	at := metav1.NewTime(e.At)
	return &corev1.Event{
		ObjectMeta:          metav1.ObjectMeta{Namespace: namespace, Name: eventName(e)},
		InvolvedObject:      e.About,
		Reason:              e.Reason,
		Message:             oneLine(e.Message, maxEventMessage),
		Source:              corev1.EventSource{Component: eventComponent},
		ReportingController: "headroom.dev/headroom",
		FirstTimestamp:      at,
		LastTimestamp:       at,
		Count:               1,
		Type:                kind,
	}
}

// eventName is the object's name, shortened to leave room, and a hash of what makes the Event unique: nothing else for an object
// that has no name yet, as no name begins with a dot.
func eventName(e Event) string {
	digest := sha256.Sum256([]byte(strings.Join([]string{e.About.Kind, e.About.Namespace, e.About.Name, string(e.About.UID), e.Key}, "\x00")))
	name := e.About.Name
	if len(name) > 200 {
		name = strings.TrimRight(name[:200], ".-")
	}
	return strings.TrimPrefix(name+"."+hex.EncodeToString(digest[:8]), ".")
}

// oneLine makes text fit for one line of at most limit bytes.
func oneLine(text string, limit int) string {
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, text)
	if len(text) <= limit {
		return text
	}
	return strings.ToValidUTF8(text[:limit-3], "") + "..."
}
