// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
)

// SendBack is a binding that should be sent back.
type SendBack struct {
	Namespace, Name string
	UID             types.UID
	// Node is the one that the pod should not go to.
	Node string
	// Request tells this binding from all others of the pod.
	Request types.UID
	// Message is the sentence about it.
	Message string
	// DryRun asks what would be answered, and leaves no trace.
	DryRun bool
}

// SendBackAnswer says whether a binding may be sent back.
type SendBackAnswer string

// The answers.
const (
	SendBackAgreed   SendBackAnswer = "agreed"
	SendBackLimited  SendBackAnswer = "limit"     // the pod has been sent back often enough
	SendBackNotReady SendBackAnswer = "not-ready" // nobody could tell how often it has been, say that it was, or put a taint on the node
	SendBackBusy     SendBackAnswer = "busy"      // too many nodes get a taint already: without one, the scheduler would choose the node again
)

// Steering does what belongs to sending a binding back: it counts, says so in an Event on the pod, and has the soft taint put
// on the node. It decides nothing about a pod.
type Steering struct {
	counts *sendBackCounts
	taints *NodeTaints
	told   *sendBackEvents
	now    func() time.Time
	// mu has SendBack called by one at a time, so that what was found free at its start still is at its end.
	mu sync.Mutex
}

// NewSteering returns a Steering that agrees to nothing before Start. Its Events have a queue of their own beside that of events.
// now is the clock; nil means time.Now.
func NewSteering(client kubernetes.Interface, taints *NodeTaints, events *Events, now func() time.Time) *Steering {
	if now == nil {
		now = wallClock
	}
	return &Steering{counts: newSendBackCounts(client), taints: taints, told: newSendBackEvents(events, now), now: now}
}

// Start learns what other replicas do, and puts taints on nodes, until ctx ends.
func (s *Steering) Start(ctx context.Context) error {
	var running sync.WaitGroup
	running.Go(func() { s.counts.run(ctx) })
	running.Go(func() { s.taints.run(ctx) })
	running.Go(func() { s.told.run(ctx) })
	running.Wait()
	return nil
}

// SendBack answers at once; what it agrees to is counted before it returns, and told to others after. It agrees to nothing
// that likely can't be told: others, and this replica when it starts again, would not count it. It waits for nothing but for
// others that do the same, who only look something up.
func (s *Steering) SendBack(b SendBack) SendBackAnswer {
	event := Event{
		About: corev1.ObjectReference{APIVersion: "v1", Kind: "Pod", Namespace: b.Namespace, Name: b.Name, UID: b.UID},
		// The binding's own key: each is sent back by one replica, and counts once however often it is told.
		Reason: SentBackReason, Message: b.Message, Key: SentBackReason + " " + string(b.Request), At: s.now(),
	}
	pod, name := sentBackPod{b.Namespace, b.UID}, eventName(event)
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case !s.counts.complete() || !s.taints.ready(b.Node) || !s.told.ready(b.Namespace):
		return SendBackNotReady
	case !s.counts.add(pod, name, false):
		return SendBackLimited
	case b.DryRun:
		return SendBackAgreed
	case !s.taints.put(b.Node):
		return SendBackBusy
	case !s.counts.add(pod, name, true):
		return SendBackLimited // another replica was faster
	case !s.told.take(event):
		return SendBackNotReady // not after ready: only SendBack fills the queue
	default:
		return SendBackAgreed
	}
}
