// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"fmt"
	"reflect"
	"strconv"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// sentBackEvent is the Event that Headroom writes about a pod in the namespace ns whose UID is 1, or one that somebody makes of it.
func sentBackEvent(i int, forge func(*corev1.Event)) *corev1.Event {
	e := &corev1.Event{
		ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: fmt.Sprint("e", i)}, Reason: SentBackReason,
		Source: corev1.EventSource{Component: "headroom"}, InvolvedObject: corev1.ObjectReference{Kind: "Pod", Namespace: "ns", Name: "p", UID: "1"},
	}
	forge(e)
	return e
}

// Nobody's Events but Headroom's count, and those of another namespace don't for this one's pods.
func TestForgedSendBacks(t *testing.T) {
	c := newSendBackCounts(nil)
	pod := sentBackPod{"ns", "1"}
	for what, forge := range map[string]func(*corev1.Event){
		"of another component":     func(e *corev1.Event) { e.Source.Component = "me" },
		"for another reason":       func(e *corev1.Event) { e.Reason = "Sent" },
		"about a node":             func(e *corev1.Event) { e.InvolvedObject.Kind = "Node" },
		"about another namespace":  func(e *corev1.Event) { e.InvolvedObject.Namespace = "another" },
		"about another pod":        func(e *corev1.Event) { e.InvolvedObject.UID = "2" },
		"with a name of megabytes": func(e *corev1.Event) { e.Name += huge },
		// The API server takes such ones if they have an eventTime.
		"in another namespace": func(e *corev1.Event) { e.Namespace = "another" },
	} {
		for n := range SendBackLimit {
			c.take(sentBackEvent(n, forge))
		}
		if !c.add(pod, "", false) {
			t.Errorf("an Event %s counts", what)
		}
	}
	for range SendBackLimit {
		c.take(sentBackEvent(1, func(*corev1.Event) {}))
	}
	if !c.add(pod, "", false) {
		t.Error("one Event that is told three times counts three times")
	}
	for n := range SendBackLimit {
		c.take(sentBackEvent(n, func(*corev1.Event) {}))
	}
	if c.add(pod, "", false) {
		t.Error("three Events don't count")
	}
}

// Whoever may create Events can write as many, and as large ones, as they like.
func TestAFloodOfForgedSendBacks(t *testing.T) {
	c := newSendBackCounts(nil)
	victim := sentBackPod{"ns", "1"}
	for n := range SendBackLimit {
		c.take(sentBackEvent(n, func(*corev1.Event) {}))
	}
	for i := range maxSentBackPods + 10 {
		c.take(sentBackEvent(i, func(e *corev1.Event) {
			e.Namespace, e.InvolvedObject.Namespace, e.InvolvedObject.UID = "flood", "flood", types.UID(strconv.Itoa(i))
		}))
	}
	if n := c.pods.len(); n != maxSentBackPods {
		t.Errorf("%d pods are remembered, want %d", n, maxSentBackPods)
	}
	if c.add(victim, "", false) {
		t.Error("Events in one namespace push out the count of another's pod, which would be sent back again and again")
	}
	c = newSendBackCounts(nil)
	for i := range 200 {
		c.take(sentBackEvent(i, func(e *corev1.Event) { e.InvolvedObject.UID = types.UID(fmt.Sprint(i, huge)) }))
		c.take(sentBackEvent(i, func(e *corev1.Event) { e.InvolvedObject.UID, e.Name = types.UID(strconv.Itoa(i)), fmt.Sprint(i, huge) }))
	}
	if n, bytes := c.pods.len(), textIn(reflect.ValueOf(c.pods.shares)); n != 0 || bytes != 0 {
		t.Errorf("%d pods and %d bytes are kept of Events of megabytes", n, bytes)
	}
}
