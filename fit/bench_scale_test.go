// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fit

import (
	"fmt"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/headroom-dev/headroom/estimate"
	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/imagesize"
	"github.com/headroom-dev/headroom/ledger"
)

// scale is a fleet for benchmarks: of several pools, each node with so many of ten times as many images, some of them in use,
// some on their way, and samples that differ.
type scale struct {
	nodes, images int
	// free returns the bytes that are available on a node of 200 GiB.
	free func(n int) int64
	// layered says that registries told of the layers of all images.
	layered bool
}

// roomyEnough leaves room for any pod on most nodes; one in twenty is nearly full.
func roomyEnough(n int) int64 {
	if n%20 == 0 {
		return 31*gi + int64(n%1009)<<20
	}
	return 40*gi + int64(n%997)*100<<20
}

// nearlyFull leaves so little that pods are likely evicted.
func nearlyFull(n int) int64 { return gi + int64(n%2999)<<20 }

func (f scale) String() string {
	name := fmt.Sprintf("%d nodes %d images", f.nodes, f.images)
	if f.layered {
		name += " layered"
	}
	return name
}

func scaleImage(i int) string { return fmt.Sprintf("registry.example.com/team-%d/app-%d:v1", i%40, i) }

func (f scale) ledger(b testing.TB) *ledger.Ledger {
	b.Helper()
	kinds := 10 * f.images
	refs := make([]imageref.Ref, kinds)
	for i := range refs {
		refs[i] = ref(b, scaleImage(i))
	}
	l := ledger.New()
	for n := range f.nodes {
		spec := node{name: fmt.Sprintf("node-%05d", n), capacity: 200 * gi, labels: map[string]string{"pool": fmt.Sprint("pool-", n%4), "zone": strconv.Itoa(n % 3)}}
		row := spec.row()
		for i := range f.images {
			image := (n*7 + i) % kinds
			row.Images = append(row.Images, ledger.ListedImage{Refs: []imageref.Ref{refs[image]}, NameCount: 1, ReportedBytes: int64(100+image%300) << 20})
		}
		l.SetNode(row)
		l.SetLines(spec.name, row.UID, ledger.DefaultLines())
		l.SetMeasurement(spec.name, ledger.Measurement{CapacityBytes: spec.capacity, AvailableBytes: f.free(n), SampledAt: epoch, ReceivedAt: epoch})
		for i := range 10 {
			l.SetPod(ledger.Pod{
				UID: types.UID(fmt.Sprint(n, "/", i)), Namespace: fmt.Sprint("ns-", i), Name: fmt.Sprint(n, "-", i), NodeName: spec.name,
				Images: []ledger.PodImage{{Ref: refs[(n*7+i)%kinds], PullPolicy: corev1.PullIfNotPresent, Pulled: true, StartedAt: epoch.Add(-1)}},
			}, epoch)
		}
		if n%50 == 0 {
			bind(l, fmt.Sprint("pulling-", n), spec.name, epoch, ref(b, fmt.Sprintf("registry.example.com/coming/app:v%d", n%20)))
		}
	}
	for i := range refs {
		l.SetManifest(refs[i], linux, f.manifest(i))
	}
	for i := range 20 {
		image := ref(b, fmt.Sprintf("registry.example.com/coming/app:v%d", i))
		l.SetManifest(image, linux, f.manifest(kinds+i))
		l.SetPod(ledger.Pod{
			UID: types.UID(fmt.Sprint("unbound-", i)), Namespace: "waiting", Name: fmt.Sprint("unbound-", i), CreatedUnixSeconds: epoch.Unix(),
			Images: []ledger.PodImage{{Ref: image, PullPolicy: corev1.PullIfNotPresent}},
		}, epoch)
	}
	l.SetManifest(ref(b, "registry.example.com/new/app:v1"), linux, f.manifest(kinds+100))
	l.SetManifest(ref(b, "registry.example.com/new/side:v1"), linux, f.manifest(kinds+101))
	l.MarkSynced()
	return l
}

// manifest is of 1.5 GiB, compressed. The lower half of the layers is one of ten.
func (f scale) manifest(i int) imagesize.Manifest {
	m := imagesize.Manifest{CompressedBytes: 1536 << 20}
	if !f.layered {
		return m
	}
	chain := ""
	for k := range 12 {
		digest := fmt.Sprintf("base %d layer %d", i%10, k)
		if k >= 6 {
			digest = fmt.Sprintf("image %d layer %d", i, k)
		}
		chain += digest
		m.Layers = append(m.Layers, imagesize.Layer{
			Digest: digest, ChainID: chain, CompressedBytes: 128 << 20, Unpacked: imagesize.Unpacked{DiskBytes: estimate.Exactly(256 << 20), Inodes: 1000},
		})
	}
	return m
}

// measure reports the processor's time for each call besides: on a machine that is busy with other things, the clock tells little.
func measure(b *testing.B, call func()) {
	b.Helper()
	call()
	b.ReportAllocs()
	before := processorTime(b)
	for b.Loop() {
		call()
	}
	b.ReportMetric(float64(processorTime(b)-before)/float64(b.N), "cpu-ns/op")
}

// processorTime is what this process has used, in nanoseconds.
func processorTime(b *testing.B) int64 {
	b.Helper()
	var used unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return used.Utime.Nano() + used.Stime.Nano()
}

// BenchmarkEvaluate is a decision about a pod with two images that no node has: with room for them on most nodes, and on none.
// "Held" is of two images that one node in ten has.
func BenchmarkEvaluate(b *testing.B) {
	for _, f := range []scale{{nodes: 100, images: 50}, {nodes: 1000, images: 50}, {nodes: 15000, images: 50}, {nodes: 15000, images: 200}, {nodes: 15000, images: 50, layered: true}} {
		namespaces := make([]string, 4096)
		for i := range namespaces {
			namespaces[i] = fmt.Sprint("elsewhere-", i)
		}
		for name, free := range map[string]func(int) int64{"fits": roomyEnough, "worst fleet": nearlyFull} {
			f.free = free
			b.Run(f.String()+"/"+name, func(b *testing.B) {
				s, p := f.ledger(b).Snapshot(), enforcing()
				s.Prepare()
				for what, images := range map[string][]string{
					"new":  {"registry.example.com/new/app:v1", "registry.example.com/new/side:v1"},
					"held": {scaleImage(7), scaleImage(8)},
				} {
					r := RequestOf(podOf(images...))
					r.Namespace = "elsewhere"
					b.Run(what, func(b *testing.B) {
						fleet, r, n := NewFleet(s, p, epoch), r, 0
						measure(b, func() {
							n++
							r.Namespace = namespaces[n%len(namespaces)] // about each of which nothing has been decided of late
							fleet.Evaluate(r, epoch)
						})
					})
					b.Run("again "+what, func(b *testing.B) {
						fleet := NewFleet(s, p, epoch)
						measure(b, func() { fleet.Evaluate(r, epoch) })
					})
					b.Run("plain "+what, func(b *testing.B) { measure(b, func() { Evaluate(s, r, p, epoch) }) })
				}
			})
		}
	}
}
