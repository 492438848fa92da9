// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fit

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/headroom-dev/headroom/estimate"
	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/imagesize"
	"github.com/headroom-dev/headroom/ledger"
	"github.com/headroom-dev/headroom/placement"
	"github.com/headroom-dev/headroom/test/largest"
)

// demanded is the i-th image of a demanding pod.
func demanded(i int) string { return fmt.Sprintf("demanding.example.com/team-%d/app:v%d", i%40, i) }

// layered tells the ledger of an image with 100 layers, half of them in one of ten bases.
func layered(t testing.TB, l *ledger.Ledger, image string, i int) {
	t.Helper()
	m := imagesize.Manifest{CompressedBytes: 400 << 20}
	for k := range 100 {
		digest := fmt.Sprintf("sha256:%060d%04d", i%10, k)
		if k >= 50 {
			digest = fmt.Sprintf("sha256:%060d%04d", 1000+i, k)
		}
		m.Layers = append(m.Layers, imagesize.Layer{
			Digest: digest, ChainID: "chain " + digest, CompressedBytes: 4 << 20, Unpacked: imagesize.Unpacked{DiskBytes: estimate.Exactly(8 << 20), Inodes: 100},
		})
	}
	l.SetManifest(ref(t, image), linux, m)
}

// layeredFleet is a fleet whose images are layered, as are those of demanding pods. Its nodes have a taint, and each has an
// image that only it has and nobody knows.
func layeredFleet(t testing.TB, nodes int) *ledger.Ledger {
	t.Helper()
	l := fleet(t, nodes)
	n := int64(0)
	for row := range l.Snapshot().Nodes() {
		n++
		changed := *row.Node
		changed.Taints = []corev1.Taint{{Key: largest.Taint, Value: "value-1", Effect: corev1.TaintEffectNoSchedule}}
		changed.Images = append(slices.Clone(changed.Images), ledger.ListedImage{
			Refs: []imageref.Ref{ref(t, "own.example.com/"+row.Name)}, NameCount: 1, ReportedBytes: n << 10,
		})
		l.SetNode(changed)
		l.SetLines(row.Name, row.UID, lines())
	}
	for i := range 600 {
		layered(t, l, fmt.Sprintf("registry.example.com/team-%d/app:v%d", i%40, i), i)
	}
	for i := range 1500 {
		layered(t, l, demanded(i), 600+i)
	}
	l.Snapshot().Prepare()
	return l
}

// demandingRequests are all ways in which demanding pods come.
func demandingRequests() map[string]Request {
	requests := map[string]Request{}
	for kind, pod := range largest.Demanding(demanded) {
		if kind != "Tolerations" && kind != "Everything" {
			pod.Spec.Tolerations = append(pod.Spec.Tolerations, corev1.Toleration{Operator: corev1.TolerationOpExists})
		}
		requests[kind] = RequestOf(pod)
		if kind != "Everything" {
			continue
		}
		requests["Template"] = RequestOfTemplate(pod, Workload{Kind: "Deployment", Replicas: 100_000})
		requests["DaemonSet"] = RequestOfTemplate(pod, Workload{Kind: "DaemonSet", EveryNode: true})
		whatIf := requests[kind]
		whatIf.NotOn = map[string]bool{"node-00000": true}
		requests["WhatIf"] = whatIf
		debug := requests[kind]
		debug.Placement = placement.Of(&corev1.PodSpec{NodeName: "node-00001"})
		requests["Debug"] = debug
	}
	return requests
}

func benchmarkDemanding(b *testing.B, nodes int) {
	l, p := layeredFleet(b, nodes), enforcing()
	s := l.Snapshot()
	requests := demandingRequests()
	for _, kind := range slices.Sorted(maps.Keys(requests)) {
		b.Run(kind, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Evaluate(s, requests[kind], p, epoch)
			}
		})
	}
}

// BenchmarkEvaluateDemandingAndWaiting1000Nodes has pods of the same namespace wait for 1,000 more images with layers.
func BenchmarkEvaluateDemandingAndWaiting1000Nodes(b *testing.B) {
	l, p := layeredFleet(b, 1000), enforcing()
	r := demandingRequests()["Everything"]
	for i := range 1000 {
		l.SetPod(ledger.Pod{
			UID: types.UID(fmt.Sprint("waiting-", i)), Namespace: r.Namespace, Name: fmt.Sprint("waiting-", i), Placement: placement.Of(nil),
			Images: []ledger.PodImage{{Ref: ref(b, demanded(500+i)), PullPolicy: corev1.PullIfNotPresent}},
		}, epoch)
	}
	s := l.Snapshot()
	small := r
	small.Images = r.Images[:1]
	for name, request := range map[string]Request{"Everything": r, "OneImage": small} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				Evaluate(s, request, p, epoch)
			}
		})
	}
}

// BenchmarkEvaluateDemanding is how long a pod can hold one of the webhook's slots. The API server waits for two seconds.
func BenchmarkEvaluateDemanding1000Nodes(b *testing.B) { benchmarkDemanding(b, 1000) }
func BenchmarkEvaluateDemanding5000Nodes(b *testing.B) { benchmarkDemanding(b, 5000) }
