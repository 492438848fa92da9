// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"runtime"
	"testing"
)

// BenchmarkBytesPerPod measures what the pods' store keeps of each of 20,000 pods of 400 Deployments.
func BenchmarkBytesPerPod(b *testing.B) {
	const workloads, replicas = 400, 50
	for b.Loop() {
		b.StopTimer()
		before := heapBytes()
		sharing := newPodSharing()
		kept := make([]any, 0, workloads*replicas)
		for number := range replicas {
			for workload := range workloads {
				whole := decoded(b, replicaOf(workload, number))
				b.StartTimer()
				slim, err := sharing.transform(whole)
				b.StopTimer()
				if err != nil {
					b.Fatal(err)
				}
				kept = append(kept, slim)
			}
		}
		b.ReportMetric(float64(heapBytes()-before)/float64(len(kept)), "B/pod")
		runtime.KeepAlive(kept)
		runtime.KeepAlive(sharing)
		b.StartTimer()
	}
}

func heapBytes() uint64 {
	runtime.GC()
	runtime.GC() // the first one may have found what finalizers still held
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// BenchmarkTransformPod is what an event of a pod costs before anybody looks at it.
func BenchmarkTransformPod(b *testing.B) {
	whole, sharing := decoded(b, replicaOf(1, 1)), newPodSharing()
	first, err := sharing.transform(decoded(b, replicaOf(1, 0)))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := sharing.transform(whole); err != nil {
			b.Fatal(err)
		}
	}
	runtime.KeepAlive(first)
}
