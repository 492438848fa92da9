// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
)

const (
	// feedPage is how many events are listed at a time: an hour of them is never whole in memory. Whoever may create Events can
	// make each of them as large as etcd takes it, 1.5 MiB, and a page is there twice: as it came, and decoded.
	feedPage = 50
	// watchSeconds is how long one watch lasts, so that a connection that died unnoticed does not last for ever.
	watchSeconds = 600
	// Waits before the next try: after the end of a watch, doubled at each failure, and where a permission is missing.
	feedRetry, maxFeedRetry, feedForbidden = time.Second, time.Minute, 5 * time.Minute
)

// eventFeed follows the Events of all namespaces that a field selector finds. Unlike an informer it keeps none of them.
type eventFeed struct {
	client   kubernetes.Interface
	selector string
	// take is told about each Event that there is, comes or changes, by one goroutine. One may come again.
	take  func(*corev1.Event)
	state watchState
	// complete is true while every Event that there is has been told, up to the delay of a watch.
	complete atomic.Bool
}

// run lists and watches until ctx ends. Events that can't be had are logged once.
func (f *eventFeed) run(ctx context.Context) {
	version, wait := "", feedRetry
	for ctx.Err() == nil {
		version, wait = f.round(ctx, version, wait)
		sleep(ctx, wait)
	}
	f.complete.Store(false)
}

// round follows events from a version until that ends, and returns the version to go on from and how long to wait before.
func (f *eventFeed) round(ctx context.Context, version string, wait time.Duration) (string, time.Duration) {
	next, err := f.follow(ctx, version)
	if ctx.Err() != nil {
		return next, 0
	}
	f.complete.CompareAndSwap(true, err == nil)
	f.state.handle(ctx, nil, err)
	_, missing := MissingPermission(err)
	switch {
	case missing:
		return next, feedForbidden
	case err == nil, next != version:
		return next, feedRetry
	default:
		return next, min(2*wait, maxFeedRetry)
	}
}

// follow lists, where there is no version to watch from, and watches until that ends. It returns the version to go on from.
func (f *eventFeed) follow(ctx context.Context, version string) (next string, err error) {
	if version == "" {
		if version, err = f.list(ctx); err != nil {
			return "", err
		}
	}
	return f.watch(ctx, version)
}

// list takes in the events that there are, page by page, and returns the version to watch from.
func (f *eventFeed) list(ctx context.Context) (version string, err error) {
	for options := (metav1.ListOptions{FieldSelector: f.selector, Limit: feedPage}); ; {
		page, err := f.client.CoreV1().Events(metav1.NamespaceAll).List(ctx, options)
		if err != nil {
			return "", err
		}
		for i := range page.Items {
			f.take(&page.Items[i])
		}
		if page.Continue == "" {
			return page.ResourceVersion, nil
		}
		options.Continue = page.Continue
	}
}

// watch takes in events until the watch ends, and returns the version to watch from next, "" to list again.
func (f *eventFeed) watch(ctx context.Context, version string) (next string, err error) {
	w, err := f.client.CoreV1().Events(metav1.NamespaceAll).Watch(ctx, metav1.ListOptions{
		FieldSelector: f.selector, ResourceVersion: version, AllowWatchBookmarks: true, TimeoutSeconds: new(int64(watchSeconds)),
	})
	if err != nil {
		return fromStart(version, err), err
	}
	defer w.Stop()
	defer context.AfterFunc(ctx, w.Stop)()
	f.state.recovered()
	f.complete.Store(true)
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
			f.take(event)
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

func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
