// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
)

// nodesOf lists and watches all Nodes, as a stream where the API server can.
func nodesOf(client kubernetes.Interface) cache.ListerWatcher {
	nodes := client.CoreV1().Nodes()
	return cache.ToListWatcherWithWatchListSemantics(&cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) { return nodes.List(ctx, o) },
		WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			return nodes.Watch(ctx, o)
		},
	}, client)
}

// podStreams is a client that can give a streaming list of pods to who takes it in as it comes. What is left of it comes as a watch.
type podStreams interface {
	listPods(ctx context.Context, o metav1.ListOptions, listing *podListing) (watch.Interface, error)
}

// podsOf is nodesOf for the Pods of all namespaces, which go into q.
func podsOf(client kubernetes.Interface, q *podQueue) cache.ListerWatcher {
	pods := client.CoreV1().Pods(metav1.NamespaceAll)
	streams, streaming := client.(podStreams)
	return cache.ToListWatcherWithWatchListSemantics(&cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			q.begin(nil)
			return pods.List(ctx, o)
		},
		WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			if streaming && o.SendInitialEvents != nil && *o.SendInitialEvents {
				listing := &podListing{queue: q}
				q.begin(listing)
				return streams.listPods(ctx, o, listing)
			}
			return pods.Watch(ctx, o)
		},
	}, client)
}
