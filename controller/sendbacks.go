// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"slices"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
)

const (
	// SentBackReason is the reason of the Event that says that a pod was sent back to the scheduler.
	SentBackReason = "SentBack"
	// SendBackLimit is how often one pod is sent back at most, by all replicas together.
	SendBackLimit = 3
	// maxSentBackPods bounds the pods whose count is remembered.
	maxSentBackPods = 10_000
)

// sendBackCounts knows how often each pod has been sent back, by this replica and, through the Events that say so, by the
// others. Nothing else is shared: an Event is there for an hour by default, and so is what a new process learns of it.
type sendBackCounts struct {
	feed eventFeed

	mu   sync.Mutex // guards pods
	pods *sharedRecent[sentBackPod, []string]
}

// sentBackPod has the namespace in it because whoever may create Events in one namespace can name any UID.
type sentBackPod struct {
	namespace string
	uid       types.UID
}

func newSendBackCounts(client kubernetes.Interface) *sendBackCounts {
	c := &sendBackCounts{pods: newSharedRecent[sentBackPod, []string](maxSentBackPods, func(p sentBackPod) string { return p.namespace })}
	c.feed = eventFeed{client: client, selector: "reason=" + SentBackReason, take: c.take, state: watchState{resource: "events"}}
	return c
}

// run follows the Events until ctx ends.
func (c *sendBackCounts) run(ctx context.Context) { c.feed.run(ctx) }

// complete reports whether what the other replicas did is known, but for what they did just now.
func (c *sendBackCounts) complete() bool { return c.feed.complete.Load() }

// take counts an Event of this or another replica. Its source is no proof: whoever may create Events in a namespace can write
// the same. What that does is bounded: pods of that namespace alone, whose bindings are let through sooner. An Event with an
// eventTime may be about an object of another namespace (validation.legacyValidateEvent); such ones don't count, nor do those
// whose UID or name is longer than any that Headroom writes.
func (c *sendBackCounts) take(e *corev1.Event) {
	about := &e.InvolvedObject
	if e.Reason != SentBackReason || e.Source.Component != eventComponent || about.Kind != "Pod" || about.Namespace != e.Namespace {
		return
	}
	if plausible("", "", e.Name, about.UID) {
		c.add(sentBackPod{about.Namespace, about.UID}, e.Name, true)
	}
}

// add counts the Event of that name, unless it is counted already, and reports whether there were fewer than the limit before.
// With count false it only reports.
func (c *sendBackCounts) add(pod sentBackPod, event string, count bool) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	events, _ := c.pods.get(pod)
	if len(events) >= SendBackLimit {
		return false
	}
	if count && !slices.Contains(events, event) {
		c.pods.set(pod, append(slices.Clip(events), event))
	}
	return true
}
