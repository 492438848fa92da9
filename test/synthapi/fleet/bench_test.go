// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fleet

import "testing"

func BenchmarkAppendPod(b *testing.B) {
	pods := Pods{newFleet(b, Options{Nodes: 15_000, Pods: 500_000})}
	benchmarkAppend(b, pods)
}

func BenchmarkAppendNode(b *testing.B) {
	nodes := Nodes{newFleet(b, Options{Nodes: 15_000, Pods: 500_000})}
	benchmarkAppend(b, nodes)
}

func benchmarkAppend(b *testing.B, kind Kind) {
	b.ReportAllocs()
	var buffer []byte
	i := 0
	for b.Loop() {
		buffer = kind.Append(buffer[:0], i%kind.Len(), kind.First(i%kind.Len()))
		i++
	}
	b.SetBytes(int64(len(buffer)))
}
