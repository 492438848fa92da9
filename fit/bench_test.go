// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fit

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/imagesize"
	"github.com/headroom-dev/headroom/ledger"
	"github.com/headroom-dev/headroom/placement"
)

// fleet is a cluster in which every node lists 50 images, runs 30 pods and pulls for one more, and 100 pods are unbound.
// Nodes are nearly full, which is when all that Evaluate can do has to be done.
func fleet(b *testing.B, nodes int) *ledger.Ledger {
	b.Helper()
	image := func(i int) imageref.Ref { return ref(b, fmt.Sprintf("registry.example.com/team-%d/app:v%d", i%40, i)) }
	l := ledger.New()
	for n := range nodes {
		spec := node{name: fmt.Sprintf("node-%05d", n), capacity: 100 * gi, available: int64(16+n%10) * gi, images: map[string]int64{}}
		for i := range 50 {
			spec.images[image((n*7+i)%500).String()] = int64(100+i) << 20
		}
		l.SetNode(spec.row())
		l.SetMeasurement(spec.name, ledger.Measurement{CapacityBytes: spec.capacity, AvailableBytes: spec.available, SampledAt: epoch, ReceivedAt: epoch})
		for i := range 30 {
			l.SetPod(ledger.Pod{
				UID: types.UID(fmt.Sprint(n, "/", i)), Namespace: "x", Name: fmt.Sprint(n, "-", i), NodeName: spec.name,
				Images: []ledger.PodImage{{Ref: image((n*7 + i) % 500), PullPolicy: corev1.PullIfNotPresent, Pulled: true, StartedAt: epoch.Add(-1)}},
			}, epoch)
		}
		bind(l, fmt.Sprint("pulling-", n), spec.name, epoch, image(500+n%50))
	}
	for i := range 600 {
		l.SetManifest(image(i), linux, imagesize.Manifest{CompressedBytes: 300 << 20})
	}
	for i := range 100 {
		l.SetPod(ledger.Pod{
			UID: types.UID(fmt.Sprint("unbound-", i)), Namespace: "x", Name: fmt.Sprint("unbound-", i), Placement: placement.Of(nil),
			Images: []ledger.PodImage{{Ref: image(550 + i%50), PullPolicy: corev1.PullIfNotPresent}},
		}, epoch)
	}
	l.MarkSynced()
	return l
}

func benchmark(b *testing.B, nodes int) {
	l := fleet(b, nodes)
	b.Run("NewImage", func(b *testing.B) {
		evaluate(b, l, podOf("registry.example.com/new/app:v1", "registry.example.com/new/side:v1"))
	})
	b.Run("OneImageOfMany", func(b *testing.B) { evaluate(b, l, podOf("registry.example.com/team-7/app:v7")) })
}

func evaluate(b *testing.B, l *ledger.Ledger, pod *corev1.Pod) {
	b.Helper()
	for _, c := range pod.Spec.Containers {
		l.SetManifest(ref(b, c.Image), linux, imagesize.Manifest{CompressedBytes: 2 << 30})
	}
	s, r, p := l.Snapshot(), RequestOf(pod), enforcing()
	b.ReportAllocs()
	for b.Loop() {
		Evaluate(s, r, p, epoch)
	}
}

func BenchmarkEvaluate100Nodes(b *testing.B)  { benchmark(b, 100) }
func BenchmarkEvaluate1000Nodes(b *testing.B) { benchmark(b, 1000) }
func BenchmarkEvaluate5000Nodes(b *testing.B) { benchmark(b, 5000) }
