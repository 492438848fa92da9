// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fit

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/headroom-dev/headroom/estimate"
	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/imagesize"
	"github.com/headroom-dev/headroom/ledger"
	"github.com/headroom-dev/headroom/placement"
	"github.com/headroom-dev/headroom/policy"
)

// fleet is a cluster in which every node lists 50 images, runs 30 pods and pulls for one more, and 100 pods are unbound.
// Nodes are nearly full, which is when all that Evaluate can do has to be done.
func fleet(b testing.TB, nodes int) *ledger.Ledger {
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

// BenchmarkEvaluateLayers1000Nodes is the same fleet with 20 layers for each image, half of
// them in a base that it shares with others.
func BenchmarkEvaluateLayers1000Nodes(b *testing.B) {
	l := fleet(b, 1000)
	for i := range 600 {
		m := imagesize.Manifest{CompressedBytes: 200 << 20}
		chain := ""
		for k := range 20 {
			digest := fmt.Sprintf("base %d layer %d", i%10, k)
			if k >= 10 {
				digest = fmt.Sprintf("image %d layer %d", i, k)
			}
			chain += digest
			m.Layers = append(m.Layers, imagesize.Layer{
				Digest: digest, ChainID: chain, CompressedBytes: 10 << 20, Unpacked: imagesize.Unpacked{DiskBytes: estimate.Exactly(20 << 20)},
			})
		}
		l.SetManifest(ref(b, fmt.Sprintf("registry.example.com/team-%d/app:v%d", i%40, i)), linux, m)
	}
	s, r, p := l.Snapshot(), RequestOf(podOf("registry.example.com/team-21/app:v541")), policy.Default()
	s.Prepare()
	b.Run("Prepared", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			Evaluate(s, r, p, epoch)
		}
	})
	b.Run("Prepare", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			l.SetManifest(ref(b, "registry.example.com/other:v1"), linux, imagesize.Manifest{CompressedBytes: int64(i), Layers: []imagesize.Layer{{Digest: "x", ChainID: "x"}}})
			l.Snapshot().Prepare()
		}
	})
}

func BenchmarkEvaluate100Nodes(b *testing.B)  { benchmark(b, 100) }
func BenchmarkEvaluate1000Nodes(b *testing.B) { benchmark(b, 1000) }
func BenchmarkEvaluate5000Nodes(b *testing.B) { benchmark(b, 5000) }

// BenchmarkSteer3000Nodes is what a binding costs: most look at one node, the dearest ones at all and judge othersJudged.
func BenchmarkSteer3000Nodes(b *testing.B) {
	l := fleet(b, 3000)
	l.SetManifest(ref(b, "example.com/huge:v1"), linux, imagesize.Manifest{CompressedBytes: 200 * gi})
	l.SetManifest(ref(b, "example.com/big:v1"), linux, imagesize.Manifest{CompressedBytes: 4 * gi})
	for i := range 10 {
		empty := node{name: fmt.Sprint("pool-", i), capacity: 100 * gi, available: 90 * gi, labels: map[string]string{"pool": "p"}}
		l.SetNode(empty.row())
		l.SetMeasurement(empty.name, ledger.Measurement{CapacityBytes: empty.capacity, AvailableBytes: empty.available, SampledAt: epoch, ReceivedAt: epoch})
	}
	s, p := l.Snapshot(), enforcing()
	for name, c := range map[string]struct {
		image, pool string
		back        bool
		why         Reason
	}{
		"Fits":        {"registry.example.com/team-0/app:v0", "", false, ""},
		"OtherNode":   {"example.com/big:v1", "", true, ""},
		"FarOther":    {"example.com/big:v1", "p", true, ""},
		"NoOtherNode": {"example.com/huge:v1", "", false, NoOtherNode},
		"NoCandidate": {"example.com/huge:v1", "none", false, NoOtherNode},
	} {
		b.Run(name, func(b *testing.B) {
			pod := podOf(c.image)
			if c.pool != "" {
				selects("pool", c.pool)(pod)
			}
			r, now := RequestOf(pod), epoch
			b.ReportAllocs()
			for b.Loop() {
				now = now.Add(1)
				if d := Steer(s, r, Choice{Node: "node-00000"}, p, now); d.SendBack != c.back || d.Reason != c.why {
					b.Fatalf("%+v", d)
				}
			}
		})
	}
}
