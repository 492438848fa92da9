// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package ledger_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/headroom-dev/headroom/estimate"
	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/imagesize"
	"github.com/headroom-dev/headroom/ledger"
	"github.com/headroom-dev/headroom/placement"
)

// large is a ledger of a large cluster: 50 images on every node out of 2000, and
// as many pods as asked for, of which some wait to be bound.
func large(b *testing.B, nodes, pods, unbound int) *ledger.Ledger {
	b.Helper()
	l := ledger.New()
	images := make([]ledger.ListedImage, 2000)
	for i := range images {
		name := fmt.Sprintf("registry.example.com/team-%d/image-%d", i%40, i)
		digest := fmt.Sprintf("@sha256:%064x", i)
		images[i] = ledger.ListedImage{
			Refs: []imageref.Ref{mustParse(name + digest), mustParse(name + ":v1")}, NameCount: 2, ReportedBytes: 1e8 + int64(i),
		}
	}
	for i := range nodes {
		n := ledger.Node{
			Node: placement.Node{
				Name: nodeName(i), Labels: map[string]string{"zone": strconv.Itoa(i % 3)}, Ready: true, OS: "linux", Architecture: "amd64",
				Allocatable: placement.Resources{MilliCPU: 64000, MemoryBytes: 1 << 38, Pods: 250},
			},
			UID: types.UID(nodeName(i)), Runtime: imagesize.Containerd, Images: make([]ledger.ListedImage, 0, 50),
		}
		for k := range 50 {
			n.Images = append(n.Images, images[(i+37*k)%len(images)])
		}
		l.SetNode(n)
		l.SetMeasurement(n.Name, ledger.Measurement{NodeUID: n.UID, CapacityBytes: 1e11, AvailableBytes: 4e10, SampledAt: start, ReceivedAt: start})
	}
	for i := range pods {
		l.SetPod(largePod(i, i%nodes, images, true), start)
	}
	for i := range unbound {
		p := largePod(pods+i, 0, images, false)
		p.NodeName = ""
		p.Placement = placement.Of(&corev1.PodSpec{NodeSelector: map[string]string{"zone": strconv.Itoa(i % 3)}})
		l.SetPod(p, start)
	}
	l.MarkSynced()
	return l
}

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func nodeName(i int) string { return fmt.Sprintf("node-%05d", i) }

func largePod(i, node int, images []ledger.ListedImage, pulled bool) ledger.Pod {
	p := ledger.Pod{
		UID: types.UID(fmt.Sprintf("00000000-0000-0000-0000-%012d", i)), Namespace: fmt.Sprint("team-", i%40), Name: fmt.Sprint("pod-", i),
		NodeName: nodeName(node), Requests: placement.Resources{MilliCPU: 100, MemoryBytes: 1 << 28, Pods: 1},
	}
	for k := range 2 {
		image := images[(node+37*(k+i%20))%len(images)]
		p.Images = append(p.Images, ledger.PodImage{Ref: image.Refs[1], PullPolicy: corev1.PullIfNotPresent, ImageID: image.Refs[0], Pulled: pulled, StartedAt: start})
	}
	return p
}

func BenchmarkSnapshotAfterPodEvent5kNodes150kPods(b *testing.B) {
	l := large(b, 5000, 150_000, 300)
	pod := ledger.Pod{
		UID: "new", Namespace: "team", Name: "new", NodeName: nodeName(2500),
		Images: []ledger.PodImage{{Ref: mustParse("registry.example.com/new:v1"), PullPolicy: corev1.PullIfNotPresent}},
	}
	b.ReportAllocs()
	for b.Loop() {
		pod.Images = []ledger.PodImage{pod.Images[0]}
		pod.Images[0].Failing = !pod.Images[0].Failing
		l.SetPod(pod, start)
		if l.Snapshot().Len() != 5000 {
			b.Fatal("a snapshot without its nodes")
		}
	}
}

func BenchmarkSnapshotAfterUnboundPodEvent5kNodes10kUnbound(b *testing.B) {
	l := large(b, 5000, 0, 10_000)
	pod := ledger.Pod{
		UID: "new", Namespace: "team", Name: "new", Placement: placement.Of(nil),
		Images: []ledger.PodImage{{Ref: mustParse("registry.example.com/new:v1"), PullPolicy: corev1.PullIfNotPresent}},
	}
	b.ReportAllocs()
	for b.Loop() {
		pod.Gated = !pod.Gated
		l.SetPod(pod, start)
	}
}

func BenchmarkSnapshotAfterSample5kNodes150kPods(b *testing.B) {
	l := large(b, 5000, 150_000, 0)
	m := ledger.Measurement{CapacityBytes: 1e11, AvailableBytes: 4e10, SampledAt: start, ReceivedAt: start}
	b.ReportAllocs()
	for b.Loop() {
		m.SampledAt = m.SampledAt.Add(time.Second)
		l.SetMeasurement(nodeName(2500), m)
	}
}

// BenchmarkAccount5kNodes draws up the accounts of all nodes once per operation,
// with sizes that the view has at hand.
func BenchmarkAccount5kNodes(b *testing.B) {
	for _, unbound := range []int{0, 300} {
		b.Run(fmt.Sprintf("%dUnbound", unbound), func(b *testing.B) {
			s := large(b, 5000, 150_000, unbound).Snapshot()
			v := ledger.View{
				Now: start, SizeClass: func(*ledger.NodeRow) any { return 0 },
				Size: func(*ledger.NodeRow, imageref.Ref, imagesize.There) imagesize.Size {
					return imagesize.Size{Disk: estimate.Between(1e8, 3e8, 4e8), Source: imagesize.SourceNode}
				},
			}
			b.ReportAllocs()
			for b.Loop() {
				total := int64(0)
				accounts := s.Accounts(v)
				for row := range s.Nodes() {
					total += accounts.Of(row).Available.Likely / 5000
				}
				if total == 0 {
					b.Fatal("nothing is available")
				}
			}
		})
	}
}

func BenchmarkMarkSynced5kNodes150kPods(b *testing.B) {
	for b.Loop() {
		if s := large(b, 5000, 150_000, 1000).Snapshot(); !strings.HasPrefix(nodeName(s.Len()), "node-05") {
			b.Fatal("a snapshot without its nodes")
		}
	}
}
