// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"fmt"
	"testing"
	"testing/synctest"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"
)

// replica is one Headroom of several that share an API server.
type replica struct {
	*Steering
	*tainter
	stop func() error
}

func newReplica(t *testing.T, client *fake.Clientset) *replica {
	t.Helper()
	k := newTainter(t, steering(), tainted("n"))
	r := &replica{Steering: NewSteering(client, k.NodeTaints, NewEvents(client), nil), tainter: k}
	r.stop = start(t, r.Start)
	return r
}

// sentBack is the n-th binding of a pod.
func sentBack(pod string, n int) SendBack {
	return SendBack{
		Namespace: "ns", Name: pod, UID: types.UID("uid-" + pod), Node: "n", Request: types.UID(fmt.Sprint(pod, n)), Message: "the node is too full",
	}
}

func (r *replica) answers(t *testing.T, b SendBack, want SendBackAnswer) {
	t.Helper()
	if got := r.SendBack(b); got != want {
		t.Errorf("binding %s is answered %q, want %q", b.Request, got, want)
	}
}

func eventsOf(t *testing.T, client *fake.Clientset) []corev1.Event {
	t.Helper()
	list, err := client.CoreV1().Events(metav1.NamespaceAll).List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return list.Items
}

func TestSendBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := fake.NewClientset()
		early := &replica{Steering: NewSteering(client, newTainter(t, steering(), tainted("n")).NodeTaints, NewEvents(client), nil)}
		early.answers(t, sentBack("early", 1), SendBackNotReady)
		a := newReplica(t, client)
		synctest.Wait()

		dry := sentBack("web", 0)
		dry.DryRun = true
		a.answers(t, dry, SendBackAgreed)
		synctest.Wait()
		if n := len(eventsOf(t, client)); n != 0 {
			t.Errorf("a dry run leaves %d events", n)
		}
		a.expect(t, "after a dry run", "n")

		a.answers(t, sentBack("web", 1), SendBackAgreed)
		a.answers(t, sentBack("web", 1), SendBackAgreed) // The same binding, asked about twice.
		a.answers(t, sentBack("web", 2), SendBackAgreed)
		a.answers(t, sentBack("web", 3), SendBackAgreed)
		a.answers(t, sentBack("web", 4), SendBackLimited)
		dry.Request = "5"
		a.answers(t, dry, SendBackLimited)
		a.answers(t, sentBack("other", 1), SendBackAgreed)
		gone := sentBack("third", 1)
		gone.Node = "nobody"
		a.answers(t, gone, SendBackNotReady)
		synctest.Wait()
		a.expect(t, "after all", "n", youngText)
		events := eventsOf(t, client)
		if len(events) != 4 {
			t.Fatalf("%d events, want one for each that was sent back", len(events))
		}
		e := events[0]
		if e.Reason != "SentBack" || e.Type != corev1.EventTypeNormal || e.Message != "the node is too full" || e.InvolvedObject.Kind != "Pod" ||
			e.Namespace != "ns" || e.InvolvedObject.UID == "" {
			t.Errorf("event %+v", e)
		}
		if err := a.stop(); err != nil {
			t.Error(err)
		}
		a.answers(t, sentBack("late", 1), SendBackNotReady)
	})
}
