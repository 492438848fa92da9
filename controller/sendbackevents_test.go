// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
)

// quota has the API server refuse Events in one namespace, for as long as full is set.
func quota(client *fake.Clientset, namespace string, full *atomic.Bool) {
	full.Store(true)
	client.PrependReactor("create", "events", func(a clienttesting.Action) (bool, runtime.Object, error) {
		if a.GetNamespace() != namespace || !full.Load() {
			return false, nil, nil
		}
		return true, nil, apierrors.NewForbidden(schema.GroupResource{Resource: "events"}, "e", errors.New("exceeded quota: events"))
	})
}

// Where Events can't be written, nobody's count is known to others. Each replica learns of it by its first try, and then sends
// nothing back for a while; and its own count holds whatever happens.
func TestSendBacksThatCannotBeTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, full := fake.NewClientset(), &atomic.Bool{}
		quota(client, "ns", full)
		replicas := []*replica{newReplica(t, client), newReplica(t, client), newReplica(t, client)}
		synctest.Wait()
		for _, r := range replicas {
			r.answers(t, sentBack("web", 1), SendBackAgreed)
			synctest.Wait() // The try fails.
			r.answers(t, sentBack("web", 2), SendBackNotReady)
			r.answers(t, sentBack("another", 1), SendBackNotReady)
			dry := sentBack("web", 3)
			dry.DryRun = true
			r.answers(t, dry, SendBackNotReady)
			elsewhere := sentBack("elsewhere", 1)
			elsewhere.Namespace = "other"
			r.answers(t, elsewhere, SendBackAgreed)
		}
		time.Sleep(sendBackDoubt - time.Second)
		replicas[0].answers(t, sentBack("web", 4), SendBackNotReady)
		agreed := map[int]int{}
		for n := range 20 {
			time.Sleep(sendBackDoubt)
			for i, r := range replicas {
				if r.SendBack(sentBack("web", 10*n+i+100)) == SendBackAgreed {
					agreed[i]++
				}
			}
		}
		for i := range replicas {
			if agreed[i] != SendBackLimit-1 {
				t.Errorf("replica %d sent the pod back %d times more, want %d", i, agreed[i], SendBackLimit-1)
			}
		}
		full.Store(false)
		fresh := sentBack("fresh", 1)
		replicas[0].answers(t, fresh, SendBackAgreed)
		synctest.Wait()
		fresh.Request = "2"
		replicas[1].answers(t, fresh, SendBackAgreed)
		synctest.Wait()
		if n := len(eventsOf(t, client)); n != 2+1 { // elsewhere's, which all replicas name the same, counts once
			t.Errorf("%d events", n)
		}
	})
}

// As long as no try has come to an end, the replica's own count is all there is.
func TestSendBacksBeforeAnythingIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, full := fake.NewClientset(), &atomic.Bool{}
		quota(client, "ns", full)
		r := newReplica(t, client)
		synctest.Wait()
		agreed := 0
		for n := range 10 {
			if r.SendBack(sentBack("web", n)) == SendBackAgreed {
				agreed++
			}
		}
		if agreed == 0 || agreed > SendBackLimit {
			t.Errorf("sent back %d times, want 1 to %d", agreed, SendBackLimit)
		}
	})
}

// Notices of other kinds have their own queue: however many there are, a send-back is told.
func TestSendBacksAreNotCrowdedOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := fake.NewClientset()
		others := NewEvents(client) // Nobody writes them.
		k := newTainter(t, steering(), tainted("n"))
		s := NewSteering(client, k.NodeTaints, others, nil)
		start(t, s.Start)
		synctest.Wait()
		for range eventQueue + 7 {
			others.Record(nodeEvent("1"))
		}
		r := &replica{Steering: s}
		r.answers(t, sentBack("web", 1), SendBackAgreed)
		synctest.Wait()
		if n := len(eventsOf(t, client)); n != 1 || others.Dropped() != 7 {
			t.Errorf("%d events, %d dropped", n, others.Dropped())
		}
	})
}

// A pod whose Event finds no room is let through, uncounted and without a taint.
func TestSendBacksNeedRoomInTheQueue(t *testing.T) {
	told := newSendBackEvents(NewEvents(nil), time.Now)
	for i := range sendBackQueue {
		if !told.ready("ns") || !told.take(Event{}) {
			t.Fatalf("full with %d", i)
		}
	}
	if told.ready("ns") || told.take(Event{}) {
		t.Error("more are taken than the queue holds")
	}
	synctest.Test(t, func(t *testing.T) {
		client, k := fake.NewClientset(), newTainter(t, steering(), tainted("n"))
		r := &replica{Steering: NewSteering(client, k.NodeTaints, NewEvents(client), nil), tainter: k}
		r.told.events.queue = make(chan Event) // It has no room.
		start(t, r.Start)
		synctest.Wait()
		r.answers(t, sentBack("web", 1), SendBackNotReady)
		synctest.Wait()
		r.expect(t, "after one that found no room", "n")
		if r.counts.pods.len() != 0 {
			t.Error("it is counted")
		}
	})
}
