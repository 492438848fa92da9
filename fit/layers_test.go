// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fit

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/headroom-dev/headroom/estimate"
	"github.com/headroom-dev/headroom/imagesize"
	lt "github.com/headroom-dev/headroom/ledger/ledgertest"
	"github.com/headroom-dev/headroom/policy"
	"github.com/headroom-dev/headroom/verdict"
)

// digest returns an image name with a made-up digest.
func digest(name string, hex byte) string {
	return name + "@sha256:" + strings.Repeat(string(hex), 64)
}

// tell writes what a registry says of an image: layers by letters, each of 10 MiB
// compressed and 20 unpacked.
func tell(w *lt.World, name, resolved, own, letters string, platforms ...imagesize.Platform) {
	m := imagesize.Manifest{DocumentBytes: 4096}
	if resolved != "" {
		m.Digest = w.Ref(resolved).Digest()
	}
	if own != "" {
		m.ImageDigest = w.Ref(own).Digest()
	}
	for i := range letters {
		m.Layers = append(m.Layers, imagesize.Layer{
			Digest: letters[i : i+1], ChainID: letters[:i+1], CompressedBytes: 10 << 20,
			Unpacked: imagesize.Unpacked{DiskBytes: estimate.Exactly(20 << 20), Inodes: 10},
		})
		m.CompressedBytes += 10 << 20
	}
	if len(platforms) == 0 {
		platforms = []imagesize.Platform{lt.Linux}
	}
	for _, p := range platforms {
		w.Ledger.SetManifest(w.Ref(name), p, m)
	}
}

// TestNeedCountsEachLayerOnce asks what a pod needs on a node of containerd that
// keeps compressed layers beside unpacked ones: 30 MiB for each layer that is new.
func TestNeedCountsEachLayerOnce(t *testing.T) {
	disk := lt.Disk(40<<30, 30<<30)
	tests := map[string]struct {
		build  func(*lt.World)
		images []string
		always bool
		want   int64 // MiB
	}{
		"an image that is new": {
			build:  func(w *lt.World) { w.Node("a", disk); tell(w, "app", "", "", "bx") },
			images: []string{"app"}, want: 60,
		},
		"two images upon one base": {
			build:  func(w *lt.World) { w.Node("a", disk); tell(w, "app", "", "", "bx"); tell(w, "side", "", "", "by") },
			images: []string{"app", "side"}, want: 90,
		},
		"two images, of which one is the base": {
			build:  func(w *lt.World) { w.Node("a", disk); tell(w, "app", "", "", "bx"); tell(w, "base", "", "", "b") },
			images: []string{"app", "base"}, want: 60,
		},
		"an image by two tags": {
			build: func(w *lt.World) {
				w.Node("a", disk)
				tell(w, "app:v1", digest("app", 'a'), digest("app", 'a'), "bx")
				tell(w, "app:v2", digest("app", 'a'), digest("app", 'a'), "bx")
			},
			images: []string{"app:v1", "app:v2"}, want: 60,
		},
		"another tag of what runs there": {
			build: func(w *lt.World) {
				w.Node("a", disk, lt.Lists(digest("app", 'a')+"|app:v1=20975616"))
				w.Pod("p", lt.On("a"), lt.Runs(w.Now, "app:v1"))
				tell(w, "app:v1", digest("app", 'a'), digest("app", 'a'), "bx")
				tell(w, "app:v2", digest("app", 'a'), digest("app", 'a'), "bx")
			},
			images: []string{"app:v2"}, want: 0,
		},
		"the digest of the platform's own manifest, where the index is listed": {
			build: func(w *lt.World) {
				w.Node("a", disk, lt.Lists(digest("app", 'a')+"=20975616"))
				w.Pod("p", lt.On("a"), lt.Runs(w.Now, digest("app", 'a')))
				tell(w, "app:v1", digest("app", 'a'), digest("app", 'b'), "bx")
			},
			images: []string{digest("app", 'b')}, want: 0,
		},
		"the same content in other blobs: what is unpacked is not fetched": {
			build: func(w *lt.World) {
				w.Node("a", disk, lt.Lists("gzip=20971520"))
				w.Pod("p", lt.On("a"), lt.Runs(w.Now, "gzip"))
				tell(w, "gzip", "", "", "bx")
				tell(w, "zstd", "", "", "bx")
				m := *w.Ledger.Snapshot().Evidence(w.Ref("zstd"), imagesize.Containerd, lt.Linux).Manifest
				m.Layers = []imagesize.Layer{m.Layers[0], m.Layers[1]}
				m.Layers[0].Digest, m.Layers[1].Digest = "B", "X"
				w.Ledger.SetManifest(w.Ref("zstd"), lt.Linux, m)
			},
			images: []string{"zstd"}, want: 0,
		},
		"always pulled, and the tag has moved to one that shares the base": {
			build: func(w *lt.World) {
				w.Node("a", disk, lt.Lists(digest("app", 'a')+"|app:v1=20975616"))
				w.Pod("p", lt.On("a"), lt.Runs(w.Now, digest("app", 'a')))
				tell(w, digest("app", 'a'), digest("app", 'a'), "", "bx")
				tell(w, "app:v1", digest("app", 'c'), "", "bz")
			},
			images: []string{"app:v1"}, always: true, want: 30,
		},
		"always pulled, and the tag is where it was": {
			build: func(w *lt.World) {
				w.Node("a", disk, lt.Lists(digest("app", 'a')+"|app:v1=20975616"))
				tell(w, "app:v1", digest("app", 'a'), "", "bx")
			},
			images: []string{"app:v1"}, always: true, want: 0,
		},
		"pulled if not present, and the tag has moved": {
			build: func(w *lt.World) {
				w.Node("a", disk, lt.Lists(digest("app", 'a')+"|app:v1=20975616"))
				tell(w, "app:v1", digest("app", 'c'), "", "bz")
			},
			images: []string{"app:v1"}, want: 0,
		},
		"an image for two platforms, on a node of the second": {
			build: func(w *lt.World) {
				arm := imagesize.Platform{OS: "linux", Architecture: "arm64"}
				w.Node("a", disk, lt.Architecture("arm64"))
				tell(w, "app", "", "", "bx")
				tell(w, "app", "", "", "p", arm)
			},
			images: []string{"app"}, want: 30,
		},
		"a node of CRI-O, which keeps what is unpacked": {
			build:  func(w *lt.World) { w.Node("a", disk, lt.Runtime(imagesize.CRIO)); tell(w, "app", "", "", "bx") },
			images: []string{"app"}, want: 40,
		},
		"a pool that was seen to discard compressed layers": {
			build: func(w *lt.World) {
				w.Node("a", disk)
				tell(w, "app", "", "", "bx")
				w.Ledger.SetLearned(imagesize.PoolKey{Runtime: imagesize.Containerd, Platform: lt.Linux}, imagesize.Learned{Kept: &estimate.Factor{}})
			},
			images: []string{"app"}, want: 40,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w := lt.New(t)
			test.build(w)
			pod := podOf(test.images...)
			for i := range pod.Spec.Containers {
				if test.always {
					pod.Spec.Containers[i].ImagePullPolicy = corev1.PullAlways
				}
			}
			d := Evaluate(w.Ledger.Snapshot(), RequestOf(pod), policy.Default(), w.Now)
			if got := (d.Need.Likely + 1<<19) >> 20; got != test.want {
				t.Errorf("needs %d MiB (%+v), want %d", got, d.Need, test.want)
			}
		})
	}
}

// TestATagThatMovedRefusesNothing: the registry's answer may be older than what the node
// has pulled since, or another pod may be pulling it already.
func TestATagThatMovedRefusesNothing(t *testing.T) {
	w := lt.New(t)
	w.Node("a", lt.Disk(1000<<20, 200<<20), lt.Lists(digest("app", 'a')+"|app:v1=20975616"), lt.Lines(lines()))
	w.Pod("p", lt.On("a"), lt.Runs(w.Now, "app:v1"))
	tell(w, "app:v1", digest("app", 'c'), "", "zyxw")
	p := policy.Default()
	p.Mode = policy.Enforce
	pod := podOf("app:v1")
	pod.Spec.Containers[0].ImagePullPolicy = corev1.PullAlways
	if d := Evaluate(w.Ledger.Snapshot(), RequestOf(pod), p, w.Now); d.Action != Warn || d.Need.Low != 0 || d.Need.Likely < 100<<20 {
		t.Errorf("%s, needs %+v: want a warning about what is likely, and nothing certain", d.Action, d.Need)
	}
}

// TestAClaimIsNotConfirmedByAnotherImageOfThatName: a node has a small image by a tag
// that stands for a huge one at the registry by now.
func TestAClaimIsNotConfirmedByAnotherImageOfThatName(t *testing.T) {
	w := lt.New(t)
	w.Node("a", lt.Disk(40<<30, 30<<30))
	w.Node("b", lt.Disk(40<<30, 30<<30), lt.Lists("evil:v1=1000000"))
	tell(w, "evil:v1", "", "", "bx")
	row, _ := w.Ledger.Snapshot().Node("a")
	if size := ImageSize(w.Ledger.Snapshot(), row, w.Ref("evil:v1"), policy.Default()); !size.Claimed {
		t.Error("what only the registry tells counts as seen on a node")
	}
	w.Node("b", lt.Disk(40<<30, 30<<30), lt.Lists("evil:v1=20971520"))
	row, _ = w.Ledger.Snapshot().Node("a")
	if size := ImageSize(w.Ledger.Snapshot(), row, w.Ref("evil:v1"), policy.Default()); size.Claimed {
		t.Error("a node has an image of that name and size, and it counts as claimed")
	}
}

// TestAnEventDoesNotStopTheQuestion: anybody may have written it.
func TestAnEventDoesNotStopTheQuestion(t *testing.T) {
	w := lt.New(t)
	w.Node("a", lt.Disk(1000<<20, 200<<20), lt.Lines(lines()))
	w.Ledger.SetPulled(w.Ref("huge"), imagesize.Containerd, lt.Linux, 1)
	p := policy.Default()
	p.Mode = policy.Enforce
	d := Evaluate(w.Ledger.Snapshot(), RequestOf(podOf("huge")), p, w.Now)
	if len(d.WaitFor) != 1 || d.Action != Allow || d.Verdict != verdict.Fits {
		t.Errorf("%s, %s, waits for %v: want it to fit by the event, and to ask the registry", d.Action, d.Verdict, d.WaitFor)
	}
}

// TestAnEmptyNodeOfAnElasticPoolGetsTheBaseOnce: an autoscaler's new node could hold
// both images, if the base that they share is not counted twice.
func TestAnEmptyNodeOfAnElasticPoolGetsTheBaseOnce(t *testing.T) {
	w := lt.New(t)
	w.Node("a", lt.Disk(100<<20, 20<<20), lt.Label("karpenter.sh/nodepool=x"), lt.Lines(lines()))
	tell(w, "app", "", "", "bcx")
	tell(w, "side", "", "", "bcy")
	p := policy.Default()
	p.Mode = policy.Enforce
	d := Evaluate(w.Ledger.Snapshot(), RequestOf(podOf("app", "side")), p, w.Now)
	if d.Action == Deny || d.Reason != ElasticPool {
		t.Errorf("%s because of %q: two images of 60 MiB that share 40 fit into the 85 MiB of an empty node", d.Action, d.Reason)
	}
}

func TestPullOnLeavesThePodItselfOut(t *testing.T) {
	w := lt.New(t)
	w.Node("a", lt.Disk(40<<30, 30<<30))
	tell(w, "app", "", "", "bx")
	w.Pod("p", lt.On("a"), lt.Wants("app"))
	s := w.Ledger.Snapshot()
	row, _ := s.Node("a")
	for pod, want := range map[types.UID]int64{"p": 60, "another": 0} {
		got, _ := PullOn(s, row, w.Ref("app"), pod, policy.Default(), w.Now)
		if mib := (got.Disk.Likely + 1<<19) >> 20; mib != want {
			t.Errorf("for %s it adds %d MiB, want %d", pod, mib, want)
		}
	}
	if size := ImageSize(s, row, w.Ref("app"), policy.Default()); size.Source != imagesize.SourceLayers || size.Inodes != 20 {
		t.Errorf("the image has %d inodes by %s, want 20 by layers", size.Inodes, size.Source)
	}
	if key := Pool(row, policy.Default()); key != (imagesize.PoolKey{Runtime: imagesize.Containerd, Platform: lt.Linux}) {
		t.Errorf("the node is of pool %+v", key)
	}
}
