// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// BenchmarkRowOfEvent is what an event of a pod costs from its bytes to the ledger.
func BenchmarkRowOfEvent(b *testing.B) {
	event, feed := frame("MODIFIED", replicaOf(1, 1))[4:], newPodFeed()
	first, err := feed.rowOf(leanOf(b, replicaOf(1, 0)))
	if err != nil {
		b.Fatal(err)
	}
	whole, lean := wholeStream(b), leanStream{wholeStream(b)}
	b.Run("whole", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			feed.row(eventOf(b, whole, event).(*corev1.Pod))
		}
	})
	b.Run("lean", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var got metav1.WatchEvent
			if _, _, err := lean.Decode(event, nil, &got); err != nil {
				b.Fatal(err)
			}
			if _, err := feed.rowOf(leanPodIn(got.Object.Raw)); err != nil {
				b.Fatal(err)
			}
		}
	})
	if first.Template == nil {
		b.Fatal("no template")
	}
}
