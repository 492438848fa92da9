// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
)

func nodeEvent(key string) Event {
	return Event{
		About:   corev1.ObjectReference{APIVersion: "v1", Kind: "Node", Name: "a", UID: "1"},
		Warning: true, Reason: "ImageStorageBelowGCLine", Message: "two\nlines", Key: key, At: t0,
	}
}

func TestEventsAreWrittenOnce(t *testing.T) {
	client := fake.NewClientset()
	log, logged := logTo()
	s := NewEvents(client)
	ctx := logr.NewContext(t.Context(), log)
	for _, key := range []string{"1", "1", "2"} {
		if err := s.write(ctx, nodeEvent(key)); err != nil {
			t.Fatal(err)
		}
	}
	list, err := client.CoreV1().Events(metav1.NamespaceDefault).List(t.Context(), metav1.ListOptions{})
	if err != nil || len(list.Items) != 2 {
		t.Fatalf("%d events, %v, want 2", len(list.Items), err)
	}
	got := list.Items[0]
	got.TypeMeta, got.ManagedFields = metav1.TypeMeta{}, nil
	want := corev1.Event{
		ObjectMeta:          metav1.ObjectMeta{Namespace: "default", Name: got.Name},
		InvolvedObject:      corev1.ObjectReference{APIVersion: "v1", Kind: "Node", Name: "a", UID: "1"},
		Reason:              "ImageStorageBelowGCLine",
		Message:             "two lines",
		Source:              corev1.EventSource{Component: "headroom"},
		ReportingController: "headroom.dev/headroom",
		FirstTimestamp:      metav1.NewTime(t0), LastTimestamp: metav1.NewTime(t0), Count: 1,
		Type: corev1.EventTypeWarning,
	}
	if diff := cmp.Diff(want, got); diff != "" || !strings.HasPrefix(got.Name, "a.") {
		t.Errorf("event %q (-want +got):\n%s", got.Name, diff)
	}
	if logged.String() != "" || s.Dropped() != 0 {
		t.Errorf("dropped %d, log: %s", s.Dropped(), logged)
	}
}

func TestEventsThatCannotBeWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := fake.NewClientset()
		var calls atomic.Int32
		var failure atomic.Pointer[error]
		client.PrependReactor("create", "events", func(clienttesting.Action) (bool, runtime.Object, error) {
			calls.Add(1)
			if err := failure.Load(); err != nil {
				return true, nil, *err
			}
			return false, nil, nil
		})
		log, logged := logTo()
		s := NewEvents(client)
		stop := start(t, func(ctx context.Context) error { return s.Start(logr.NewContext(ctx, log)) })
		var forbidden error = apierrors.NewForbidden(schema.GroupResource{Resource: "events"}, "", errors.New(
			`User "system:serviceaccount:headroom-system:headroom" cannot create resource "events" in API group "" in the namespace "default"`))
		failure.Store(&forbidden)
		s.Record(nodeEvent("1"))
		s.Record(nodeEvent("2"))
		synctest.Wait()
		const sentence = `cannot create events in namespace \"default\": ServiceAccount headroom-system/headroom needs create on events`
		if calls.Load() != 2 || s.Dropped() != 2 || strings.Count(logged.String(), sentence) != 1 {
			t.Errorf("without permission: %d calls, %d dropped, log:\n%s", calls.Load(), s.Dropped(), logged)
		}
		away := errors.New("no route to host")
		failure.Store(&away)
		s.Record(nodeEvent("3"))
		time.Sleep(3 * time.Second)
		synctest.Wait()
		failure.Store(nil)
		time.Sleep(3 * time.Second)
		synctest.Wait()
		if calls.Load() != 5 || s.Dropped() != 2 {
			t.Errorf("API server away for a moment: %d calls, %d dropped, want 5, 2", calls.Load(), s.Dropped())
		}
		for range eventQueue + 10 {
			s.Record(nodeEvent("4"))
		}
		synctest.Wait()
		if s.Dropped() <= 2 {
			t.Error("a full queue drops nothing")
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

// TestEventsOfANamespaceThatEnds: nobody reads them any more, and no permission is missing.
func TestEventsOfANamespaceThatEnds(t *testing.T) {
	client := fake.NewClientset()
	client.PrependReactor("create", "events", func(clienttesting.Action) (bool, runtime.Object, error) {
		err := apierrors.NewForbidden(schema.GroupResource{Resource: "events"}, "x", errors.New("unable to create new content in namespace team-a because it is being terminated"))
		err.ErrStatus.Details.Causes = append(err.ErrStatus.Details.Causes, metav1.StatusCause{Type: corev1.NamespaceTerminatingCause})
		return true, nil, err
	})
	if err := NewEvents(client).write(t.Context(), nodeEvent("1")); err != nil {
		t.Errorf("got %v, want nil", err)
	}
}

func TestEventNamesAndMessagesFit(t *testing.T) {
	e := nodeEvent("1")
	e.About.Name = strings.Repeat("n", 190) + strings.Repeat(".x", 31)
	e.Message = strings.Repeat("ä", 2000)
	object := eventObject(e)
	if len(object.Name) > 253 || strings.Contains(object.Name, "..") || len(object.Message) > maxEventMessage || !strings.HasSuffix(object.Message, "ä...") {
		t.Errorf("name %q, message of %d bytes ending %q", object.Name, len(object.Message), object.Message[len(object.Message)-8:])
	}
}
