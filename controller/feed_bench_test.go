// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"time"

	apiruntime "k8s.io/apimachinery/pkg/runtime"

	"github.com/headroom-dev/headroom/ledger"
)

// feedPod is pod i of a large cluster: replicas of 400 Deployments, spread over the nodes.
func feedPod(i, nodes int) apiruntime.Object {
	p := replicaOf(i%400, i/400)
	p.Spec.NodeName = fmt.Sprintf("node-%05d", i%nodes)
	return p
}

// BenchmarkFeed measures what of a cluster stays in memory: what 20,000 more pods take on 1,000 nodes, and what 1,000 nodes do.
func BenchmarkFeed(b *testing.B) {
	const nodes, pods = 1000, 20_000
	for b.Loop() {
		none, kept0 := fed(b, 0, 0)
		onlyNodes, kept1 := fed(b, nodes, 0)
		all, kept2 := fed(b, nodes, pods)
		b.ReportMetric(float64(onlyNodes-none)/nodes, "B/node")
		b.ReportMetric(float64(all-onlyNodes)/pods, "B/pod")
		runtime.KeepAlive([]any{kept0, kept1, kept2})
	}
}

// fed returns the bytes of the heap that a cluster's ledger and informers take.
func fed(b *testing.B, nodes, pods int) (bytes int64, kept any) {
	b.Helper()
	server := &feedServer{
		nodes: nodes, pods: pods,
		node: func(i int) apiruntime.Object { return feedNode(i) }, pod: func(i int) apiruntime.Object { return feedPod(i, nodes) },
	}
	before := int64(heapBytes())
	l := ledger.New()
	i, err := NewInformers(server.client(b), l, InformerOptions{SyncTimeout: time.Minute})
	if err != nil {
		b.Fatal(err)
	}
	startFeed(b, i, l)
	return int64(heapBytes()) - before, []any{i, l}
}

func startFeed(b *testing.B, i *Informers, l *ledger.Ledger) {
	b.Helper()
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan error, 1)
	go func() { done <- i.Start(ctx) }()
	b.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			b.Error(err)
		}
	})
	for !l.Snapshot().Synced() {
		time.Sleep(10 * time.Millisecond)
	}
}
