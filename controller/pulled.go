// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/imagesize"
	"github.com/headroom-dev/headroom/ledger"
)

const (
	// maxPulledImages bounds the images whose size is remembered from an event.
	maxPulledImages = 10_000
	// pulledSelector finds the events of pulls: of one that ended, and of images that were there.
	pulledSelector = "reason=Pulled"
	// pulledSynced is how often it is looked whether the ledger knows the nodes.
	pulledSynced = 250 * time.Millisecond
)

// PulledLedger is the part of the ledger that sizes from events go to. *ledger.Ledger is one.
type PulledLedger interface {
	Snapshot() *ledger.Snapshot
	SetPulled(ref imageref.Ref, rt imagesize.Runtime, p imagesize.Platform, reportedBytes int64)
}

// PulledSizes follows the events by which kubelets say that a pull has ended. They tell the size also of images that a
// node's list leaves out, and before the list has them. Nothing of an event is kept but that size.
type PulledSizes struct {
	ledger PulledLedger
	feed   eventFeed

	mu    sync.Mutex // guards sizes
	sizes *recent[pulledKey, int64]
}

type pulledKey struct {
	ref      imageref.Ref
	runtime  imagesize.Runtime
	platform imagesize.Platform
}

// NewPulledSizes returns one that asks nothing before Start.
func NewPulledSizes(client kubernetes.Interface, l PulledLedger) *PulledSizes {
	p := &PulledSizes{ledger: l}
	p.feed = eventFeed{client: client, selector: pulledSelector, take: p.take, state: watchState{resource: "events"}}
	p.sizes = newRecent[pulledKey, int64](maxPulledImages, func(key pulledKey) {
		l.SetPulled(key.ref, key.runtime, key.platform, 0)
	})
	return p
}

// Len returns of how many images the size is remembered.
func (p *PulledSizes) Len() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.sizes.len()
}

// Start lists and watches events until ctx ends, from when the ledger knows the nodes: an event of a node that it does
// not know is nobody's. Events that can't be had are logged once, and nothing else depends on them.
func (p *PulledSizes) Start(ctx context.Context) error {
	for !p.ledger.Snapshot().Synced() && ctx.Err() == nil {
		sleep(ctx, pulledSynced)
	}
	p.feed.run(ctx)
	return nil
}

// List takes in the events that there are, once, for a ledger that knows the nodes.
func (p *PulledSizes) List(ctx context.Context) error {
	_, err := p.feed.list(ctx)
	return err
}

// take writes the size that an event of a kubelet tells.
func (p *PulledSizes) take(e *corev1.Event) {
	if e.Reason != "Pulled" || e.Source.Component != "kubelet" || e.InvolvedObject.Kind != "Pod" {
		return
	}
	name, bytes, found := parsePulled(e.Message)
	if !found {
		return
	}
	ref, err := imageref.Parse(name)
	node, known := p.ledger.Snapshot().Node(e.Source.Host)
	if err != nil || !known || node.Runtime == imagesize.OtherRuntime {
		return
	}
	key := pulledKey{ref, node.Runtime, imagesize.Platform{OS: node.OS, Architecture: node.Architecture}}
	p.mu.Lock()
	defer p.mu.Unlock()
	before, _ := p.sizes.get(key)
	p.sizes.set(key, bytes)
	if before != bytes {
		p.ledger.SetPulled(ref, key.runtime, key.platform, bytes)
	}
}
