// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fit

import (
	"fmt"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/types"

	"github.com/headroom-dev/headroom/estimate"
	"github.com/headroom-dev/headroom/imagesize"
	"github.com/headroom-dev/headroom/ledger"
	"github.com/headroom-dev/headroom/policy"
)

// BenchmarkEvaluateWaiting100Nodes has 100 pods for 50 images wait in the namespace of the pod that is judged: for as much as
// there is, so that nothing comes of it, and for more than all nodes hold, so that all of it has to be looked at.
func BenchmarkEvaluateWaiting100Nodes(b *testing.B) {
	for name, bytes := range map[string]int64{"Enough": 300 << 20, "Crowded": 1 << 42} {
		l := fleet(b, 100)
		for i := range 100 {
			image := fmt.Sprintf("registry.example.com/waiting-%d/app:v1", i%50)
			l.SetManifest(ref(b, image), linux, imagesize.Manifest{CompressedBytes: bytes})
			wait(b, l, image, func(p *ledger.Pod) { p.UID = types.UID(fmt.Sprint("waiting-", i)) })
		}
		b.Run(name, func(b *testing.B) { evaluate(b, l, podOf("registry.example.com/new/app:v1")) })
	}
}

// BenchmarkEvaluateWaiting1000Nodes128Images32Own50Layers is about the most that the bounds let in: 128 images of 50 layers wait
// for more than there is, and the pod that is judged has as many such images as are looked at. With none that waits it costs nearly as much.
func BenchmarkEvaluateWaiting1000Nodes128Images32Own50Layers(b *testing.B) {
	layered := func(name string, mib int64) imagesize.Manifest {
		m := imagesize.Manifest{CompressedBytes: mib << 20}
		var chain strings.Builder
		for k := range 50 {
			digest := fmt.Sprint("base", k)
			if k >= 25 {
				digest = fmt.Sprint(name, k)
			}
			chain.WriteString(digest)
			m.Layers = append(m.Layers, imagesize.Layer{
				Digest: digest, ChainID: chain.String(), CompressedBytes: mib << 20 / 50,
				Unpacked: imagesize.Unpacked{DiskBytes: estimate.Exactly(mib << 20 / 50)},
			})
		}
		return m
	}
	var nodes []node
	for i := range 1000 {
		nodes = append(nodes, node{name: fmt.Sprintf("node-%04d", i), capacity: 100 * gi, available: 30 * gi})
	}
	for _, waiting := range []int{0, 128} {
		b.Run(fmt.Sprint("waiting=", waiting), func(b *testing.B) {
			l := world(nodes...)
			var own []string
			for i := range maxImages {
				own = append(own, fmt.Sprintf("registry.example.com/own-%d/app:v1", i))
				l.SetManifest(ref(b, own[i]), linux, layered(own[i], 200))
			}
			for i := range waiting {
				image := fmt.Sprintf("registry.example.com/waiting-%d/app:v1", i)
				l.SetManifest(ref(b, image), linux, layered(image, 1<<20))
				wait(b, l, image)
			}
			s, r, p := l.Snapshot(), RequestOf(podOf(own...)), enforcing()
			p.NodePools[0].Elastic = policy.ElasticFalse
			b.ReportAllocs()
			for b.Loop() {
				Evaluate(s, r, p, epoch)
			}
		})
	}
}
