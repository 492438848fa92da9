// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"runtime"
	"testing"
)

func heapBytes() uint64 {
	runtime.GC()
	runtime.GC() // the first one may have found what finalizers still held
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// BenchmarkRowOfPod is what an event of a pod costs before the ledger looks at it.
func BenchmarkRowOfPod(b *testing.B) {
	whole, feed := decoded(b, replicaOf(1, 1)), newPodFeed()
	first := feed.row(decoded(b, replicaOf(1, 0)))
	b.ReportAllocs()
	for b.Loop() {
		feed.row(whole)
	}
	runtime.KeepAlive(first)
}

// BenchmarkRecordOfNode is what a heartbeat of a node costs.
func BenchmarkRecordOfNode(b *testing.B) {
	var last *nodeRecord
	feed := newNodeFeed(func(string) *nodeRecord { return last })
	object, err := feed.transform(feedNode(1))
	if err != nil {
		b.Fatal(err)
	}
	last = recordIn(object)
	whole := feedNode(1)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := feed.transform(whole); err != nil {
			b.Fatal(err)
		}
	}
}
