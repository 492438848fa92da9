// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
)

// Replicas, and whoever comes after them, share the count.
func TestSendBacksAreCountedTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := fake.NewClientset()
		a, b := newReplica(t, client), newReplica(t, client)
		synctest.Wait()
		a.answers(t, sentBack("web", 1), SendBackAgreed)
		synctest.Wait()
		b.answers(t, sentBack("web", 2), SendBackAgreed)
		synctest.Wait()
		later := newReplica(t, client)
		synctest.Wait()
		later.answers(t, sentBack("web", 3), SendBackAgreed)
		synctest.Wait()
		for _, r := range []*replica{a, b, later, newReplica(t, client)} {
			synctest.Wait()
			r.answers(t, sentBack("web", 4), SendBackLimited)
		}
	})
}

// Nobody's Events but Headroom's count, and those of another namespace don't for this one's pods.
func TestForgedSendBacks(t *testing.T) {
	c := newSendBackCounts(nil)
	pod := sentBackPod{"ns", "1"}
	event := func(i int, change func(*corev1.Event)) *corev1.Event {
		e := &corev1.Event{
			ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: fmt.Sprint("e", i)}, Reason: SentBackReason,
			Source: corev1.EventSource{Component: "headroom"}, InvolvedObject: corev1.ObjectReference{Kind: "Pod", Namespace: "ns", Name: "p", UID: "1"},
		}
		change(e)
		return e
	}
	for i, forge := range []func(*corev1.Event){
		func(e *corev1.Event) { e.Source.Component = "me" },
		func(e *corev1.Event) { e.Reason = "Sent" },
		func(e *corev1.Event) { e.InvolvedObject.Kind = "Node" },
		func(e *corev1.Event) { e.InvolvedObject.Namespace = "another" },
		func(e *corev1.Event) { e.InvolvedObject.UID = "2" },
	} {
		for n := range SendBackLimit {
			c.take(event(10*i+n, forge))
		}
		if !c.add(pod, "", false) {
			t.Errorf("forgery %d counts", i)
		}
	}
	for range SendBackLimit {
		c.take(event(1, func(*corev1.Event) {}))
	}
	if !c.add(pod, "", false) {
		t.Error("one event that is told three times counts three times")
	}
	for i := range maxSentBackPods {
		c.add(sentBackPod{"ns", types.UID(fmt.Sprint("pod", i))}, "e", true)
	}
	if n := c.pods.len(); n != maxSentBackPods {
		t.Errorf("%d pods are remembered, want %d", n, maxSentBackPods)
	}
}

// While nobody knows what the others do, nothing is sent back.
func TestSendBackNeedsTheEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := fake.NewClientset()
		var failing atomic.Bool
		failing.Store(true)
		client.PrependReactor("list", "events", func(clienttesting.Action) (bool, runtime.Object, error) {
			if failing.Load() {
				return true, nil, apierrors.NewForbidden(schema.GroupResource{Resource: "events"}, "", errors.New("no"))
			}
			return false, nil, nil
		})
		a := newReplica(t, client)
		synctest.Wait()
		a.answers(t, sentBack("web", 1), SendBackNotReady)
		failing.Store(false)
		time.Sleep(feedForbidden)
		synctest.Wait()
		a.answers(t, sentBack("web", 1), SendBackAgreed)
	})
}
