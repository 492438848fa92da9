// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"

	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/imagesize"
	"github.com/headroom-dev/headroom/ledger"
)

const (
	// maxPulledImages bounds the images whose size is remembered from an event.
	maxPulledImages = 10_000
	// pulledPage is how many events are listed at a time: an hour of them is never whole in memory.
	pulledPage = 500
	// pulledSelector finds the events of pulls: of one that ended, and of images that were there.
	pulledSelector = "reason=Pulled"
	// watchSeconds is how long one watch lasts, so that a connection that died unnoticed does not last for ever.
	watchSeconds = 600
	// Waits before the next try: after the end of a watch, doubled at each failure, and where a permission is missing.
	pulledRetry, maxPulledRetry, pulledForbidden = time.Second, time.Minute, 5 * time.Minute
)

// PulledLedger is the part of the ledger that sizes from events go to. *ledger.Ledger is one.
type PulledLedger interface {
	Snapshot() *ledger.Snapshot
	SetPulled(ref imageref.Ref, rt imagesize.Runtime, p imagesize.Platform, reportedBytes int64)
}

// PulledSizes follows the events by which kubelets say that a pull has ended. They tell the size also of images that a
// node's list leaves out, and before the list has them. Nothing of an event is kept but that size.
type PulledSizes struct {
	client kubernetes.Interface
	ledger PulledLedger
	state  watchState

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
	return &PulledSizes{
		client: client, ledger: l, state: watchState{resource: "events"},
		sizes: newRecent[pulledKey, int64](maxPulledImages, func(key pulledKey) {
			l.SetPulled(key.ref, key.runtime, key.platform, 0)
		}),
	}
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
		sleep(ctx, pulledRetry/4)
	}
	version, wait := "", pulledRetry
	for ctx.Err() == nil {
		version, wait = p.round(ctx, version, wait)
		sleep(ctx, wait)
	}
	return nil
}

// round follows events from a version until that ends, and returns the version to go on from and how long to wait before.
func (p *PulledSizes) round(ctx context.Context, version string, wait time.Duration) (string, time.Duration) {
	next, err := p.follow(ctx, version)
	if ctx.Err() != nil {
		return next, 0
	}
	p.state.handle(ctx, nil, err)
	_, missing := MissingPermission(err)
	switch {
	case missing:
		return next, pulledForbidden
	case next != version:
		return next, pulledRetry
	default:
		return next, min(2*wait, maxPulledRetry)
	}
}

// follow lists, where there is no version to watch from, and watches until that ends. It returns the version to go on from.
func (p *PulledSizes) follow(ctx context.Context, version string) (next string, err error) {
	if version == "" {
		if version, err = p.list(ctx); err != nil {
			return "", err
		}
	}
	return p.watch(ctx, version)
}

// list takes in the events that there are, page by page, and returns the version to watch from.
func (p *PulledSizes) list(ctx context.Context) (version string, err error) {
	for options := (metav1.ListOptions{FieldSelector: pulledSelector, Limit: pulledPage}); ; {
		page, err := p.client.CoreV1().Events(metav1.NamespaceAll).List(ctx, options)
		if err != nil {
			return "", err
		}
		for i := range page.Items {
			p.take(&page.Items[i])
		}
		if page.Continue == "" {
			return page.ResourceVersion, nil
		}
		options.Continue = page.Continue
	}
}

// watch takes in events until the watch ends, and returns the version to watch from next, "" to list again.
func (p *PulledSizes) watch(ctx context.Context, version string) (next string, err error) {
	w, err := p.client.CoreV1().Events(metav1.NamespaceAll).Watch(ctx, metav1.ListOptions{
		FieldSelector: pulledSelector, ResourceVersion: version, AllowWatchBookmarks: true, TimeoutSeconds: new(int64(watchSeconds)),
	})
	if err != nil {
		return fromStart(version, err), err
	}
	defer w.Stop()
	p.state.recovered()
	for change := range w.ResultChan() {
		if change.Type == watch.Error {
			err := apierrors.FromObject(change.Object)
			return fromStart(version, err), err
		}
		event, is := change.Object.(*corev1.Event)
		if !is {
			return version, fmt.Errorf("watch events: got a %T", change.Object)
		}
		version = event.ResourceVersion
		if change.Type == watch.Added || change.Type == watch.Modified {
			p.take(event)
		}
	}
	return version, nil
}

// fromStart returns "" where the API server does not have the version any more.
func fromStart(version string, err error) string {
	if apierrors.IsResourceExpired(err) || apierrors.IsGone(err) {
		return ""
	}
	return version
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

func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
