// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fit

import (
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/ledger"
)

// BenchmarkFleet is what keeping a fleet costs, off the request path; and a decision about images that nobody has asked about, of
// which the first finds out what nodes need.
func BenchmarkFleet(b *testing.B) {
	f := scale{nodes: 15000, images: 50, free: roomyEnough}
	l, p, now := f.ledger(b), enforcing(), epoch
	fleet := NewFleet(l.Snapshot(), p, now)
	b.Run("made anew", func(b *testing.B) { measure(b, func() { NewFleet(l.Snapshot(), p, now) }) })
	sampled, waiting := 0, 0
	sample := func() {
		for range 250 {
			sampled += 7919
			l.SetMeasurement(fmt.Sprintf("node-%05d", sampled%f.nodes), ledger.Measurement{
				CapacityBytes: 200 * gi, AvailableBytes: f.free(sampled % f.nodes), SampledAt: now, ReceivedAt: now,
			})
		}
	}
	b.Run("250 samples later", func(b *testing.B) {
		measure(b, func() {
			now = now.Add(time.Millisecond)
			sample()
			fleet = fleet.Next(l.Snapshot(), p, now)
		})
	})
	b.Run("one waiting pod later", func(b *testing.B) {
		measure(b, func() {
			now, waiting = now.Add(time.Millisecond), waiting+1
			l.SetPod(ledger.Pod{
				UID: types.UID(fmt.Sprint("later-", waiting)), Namespace: "waiting", Name: fmt.Sprint("later-", waiting),
				Images: []ledger.PodImage{{Ref: ref(b, scaleImage(waiting%500)), PullPolicy: corev1.PullIfNotPresent}},
			}, now)
			fleet = fleet.Next(l.Snapshot(), p, now)
		})
	})
	for name, images := range map[string][]int{"a question nobody asked": {7, 8}, "of an image that nobody has": {-1}} {
		b.Run(name, func(b *testing.B) {
			r := RequestOf(podOf("registry.example.com/new/app:v1"))
			r.Namespace = "elsewhere"
			for _, i := range images {
				if i >= 0 {
					r.Images = append(r.Images, imageref.Image{Ref: ref(b, scaleImage(i)), PullPolicy: corev1.PullIfNotPresent})
				}
			}
			measure(b, func() {
				fleet.memo = newMemo()
				fleet.Evaluate(r, now)
			})
		})
	}
}
