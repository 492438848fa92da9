// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package disk

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const mb = 1_000_000

// testConfig is a node with a disk of 1,000 MB, a kubelet's default lines, and
// 10 MB per second in both directions.
func testConfig(t *testing.T) Config {
	t.Helper()
	thresholds, err := ParseThresholds(map[string]string{"imagefs.available": "15%", "nodefs.available": "10%"}, nil, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return Config{
		DiskBytes: 1000 * mb, Thresholds: thresholds,
		PullBytesPerSecond: 10 * mb, UnpackBytesPerSecond: 10 * mb, WritableBytes: 1000,
	}
}

// testCatalog has images a, b, c of 100 MB reported and 300 MB on disk, and two
// that share a base of 50+100 MB.
func testCatalog() Catalog {
	base := Layer{Digest: "sha256:base", CompressedBytes: 50 * mb, DiskBytes: 100 * mb}
	top := func(name string) Layer {
		return Layer{Digest: "sha256:" + name, CompressedBytes: 10 * mb, DiskBytes: 20 * mb}
	}
	return Catalog{Images: map[string]Image{
		"a": SimpleImage("a", 100*mb, 300*mb), "b": SimpleImage("b", 100*mb, 300*mb), "c": SimpleImage("c", 100*mb, 300*mb),
		"huge": SimpleImage("huge", 500*mb, 1500*mb),
		"one":  {Layers: []Layer{base, top("one")}}, "two": {Layers: []Layer{base, top("two")}},
	}}
}

func newNode(t *testing.T, cfg Config) *Node {
	t.Helper()
	n, err := New(cfg, testCatalog(), t0)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func podOf(id string, images ...string) Pod {
	p := Pod{ID: id}
	for _, image := range images {
		p.Containers = append(p.Containers, Container{Name: image, Image: image, Policy: PullIfNotPresent})
	}
	return p
}

// kinds are the events as "seconds kind pod-or-image", without the noise of starts.
func kinds(events []Event) []string {
	var out []string
	for _, e := range events {
		if e.Kind != ContainerStarted {
			out = append(out, strings.TrimSpace(e.At.Sub(t0).String()+" "+string(e.Kind)+" "+e.Pod+" "+e.Image))
		}
	}
	return out
}

func at(seconds float64) time.Time {
	return t0.Add(time.Duration(seconds * float64(time.Second)))
}

func TestPullTakesBytesGraduallyAndOneAtATime(t *testing.T) {
	n := newNode(t, testConfig(t))
	n.AddPod(t0, podOf("p1", "a"))
	n.AddPod(t0, podOf("p2", "b"))
	for _, step := range []struct {
		seconds float64
		want    int64
	}{
		{0, 0}, {5, 50 * mb}, {10, 100 * mb}, {20, 200 * mb}, {30, 300*mb + 1000}, {35, 350*mb + 1000}, {60, 600*mb + 2000},
	} {
		n.Advance(at(step.seconds))
		if got := n.UsedBytes(); got != step.want {
			t.Errorf("after %v s: %d bytes used, want %d", step.seconds, got, step.want)
		}
	}
}

func TestSharedLayersAreOnTheDiskOnce(t *testing.T) {
	for sentence, test := range map[string]struct {
		discard   bool
		one, both int64
		left      int64
	}{
		"blobs kept":      {one: 180 * mb, both: 210 * mb, left: 180 * mb},
		"blobs discarded": {discard: true, one: 120 * mb, both: 140 * mb, left: 120 * mb},
	} {
		t.Run(sentence, func(t *testing.T) {
			cfg := testConfig(t)
			cfg.DiscardUnpackedLayers = test.discard
			n := newNode(t, cfg)
			for _, step := range []struct {
				image string
				want  int64
			}{{"one", test.one}, {"two", test.both}} {
				if _, err := n.PullImage(t0, step.image); err != nil {
					t.Fatal(err)
				}
				if got := n.UsedBytes(); got != step.want {
					t.Errorf("with %s: %d bytes used, want %d", step.image, got, step.want)
				}
			}
			n.RemoveImage(t0, "one")
			if got := n.UsedBytes(); got != test.left {
				t.Errorf("without one: %d bytes used, want %d", got, test.left)
			}
			n.RemoveImage(t0, "two")
			if got := n.UsedBytes(); got != 0 {
				t.Errorf("without both: %d bytes used, want 0", got)
			}
		})
	}
}

func TestDiscardedBlobsCountWhileThePullRuns(t *testing.T) {
	cfg := testConfig(t)
	cfg.DiscardUnpackedLayers = true
	n := newNode(t, cfg)
	n.AddPod(t0, podOf("p", "a"))
	n.Advance(at(29))
	if got, want := n.UsedBytes(), int64(290*mb); got != want {
		t.Errorf("at the end of the pull %d bytes used, want %d", got, want)
	}
	n.Advance(at(30))
	if got, want := n.UsedBytes(), int64(200*mb+1000); got != want {
		t.Errorf("after the pull %d bytes used, want %d", got, want)
	}
}

func TestNoSpaceLeft(t *testing.T) {
	cfg := testConfig(t)
	cfg.Thresholds, cfg.GCHighPercent = nil, 100
	cfg.OtherUsedBytes = 850 * mb
	n := newNode(t, cfg)
	events := n.AddPod(t0, podOf("p", "a"))
	events = append(events, n.Advance(at(9.5))...)
	if got := n.UsedBytes(); got != 945*mb {
		t.Errorf("before the end %d bytes used, want 945 MB", got)
	}
	events = append(events, n.Advance(at(60))...)
	want := []string{
		"0s Pulling p a", "15s PullFailed p a", // 150 MB are full after 15 s
		"25s Pulling p a", "40s PullFailed p a", // the back-off of 10 s is over at the next sync
		"50s BackOff p a", "1m0s Pulling p a",
	}
	if diff := cmp.Diff(want, kinds(events)); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	if got := n.UsedBytes(); got != 850*mb {
		t.Errorf("between tries %d bytes used, want the 850 MB of others", got)
	}
	state, _ := n.Pod("p")
	if got := state.Containers[0]; got.WaitingReason != "ImagePullBackOff" || !strings.Contains(got.WaitingMessage, "no space left on device") {
		t.Errorf("waiting %q: %q", got.WaitingReason, got.WaitingMessage)
	}
}

func TestPullPolicies(t *testing.T) {
	for sentence, test := range map[string]struct {
		policy    PullPolicy
		preloaded bool
		want      Kind
		used      int64
	}{
		"IfNotPresent uses what is there":                 {PullIfNotPresent, true, ImagePresent, 300*mb + 1000},
		"IfNotPresent pulls what is not":                  {PullIfNotPresent, false, ImagePulled, 300*mb + 1000},
		"Always asks the registry and writes nothing new": {PullAlways, true, ImagePulled, 300*mb + 1000},
		"Never does not pull":                             {PullNever, false, ImagePullFailed, 0},
		"Never uses what is there":                        {PullNever, true, ImagePresent, 300*mb + 1000},
	} {
		t.Run(sentence, func(t *testing.T) {
			n := newNode(t, testConfig(t))
			if test.preloaded {
				if _, err := n.PullImage(t0, "a"); err != nil {
					t.Fatal(err)
				}
			}
			p := podOf("p", "a")
			p.Containers[0].Policy = test.policy
			events := append(n.AddPod(t0, p), n.Advance(at(31))...)
			if !slices.ContainsFunc(events, func(e Event) bool { return e.Kind == test.want }) {
				t.Errorf("events %v lack %s", kinds(events), test.want)
			}
			if got := n.UsedBytes(); got != test.used {
				t.Errorf("%d bytes used, want %d", got, test.used)
			}
		})
	}
}

func TestMovedTagLeavesTheOldImageUnderItsDigest(t *testing.T) {
	n := newNode(t, testConfig(t))
	if _, err := n.PullImage(t0, "a"); err != nil {
		t.Fatal(err)
	}
	if err := n.SetImage("a", SimpleImage("a, newer", 110*mb, 310*mb)); err != nil {
		t.Fatal(err)
	}
	p := podOf("p", "a")
	p.Containers[0].Policy = PullAlways
	n.AddPod(t0, p)
	n.Advance(at(40))
	images := n.Images()
	if len(images) != 2 || len(images[0].RepoTags) != 1 || len(images[1].RepoTags) != 0 || len(images[1].RepoDigests) != 1 {
		t.Errorf("images %+v", images)
	}
	if got, want := n.UsedBytes(), int64(610*mb+1000); got != want {
		t.Errorf("%d bytes used, want %d", got, want)
	}
}

func TestInitContainersAndVolumesComeFirstAndInOrder(t *testing.T) {
	n := newNode(t, testConfig(t))
	p := podOf("p", "c")
	p.Volumes = []Container{{Name: "v", Image: "one", Policy: PullIfNotPresent}}
	p.InitContainers = []Container{{Name: "i", Image: "two", Policy: PullIfNotPresent, RunFor: 5 * time.Second}}
	events := append(n.AddPod(t0, p), n.Advance(at(100))...)
	want := []string{
		"0s Pulling p one", "18s Pulled p one", "18s Pulling p two", "21s Pulled p two",
		"26s ContainerExited p two", "26s Pulling p c", "56s Pulled p c",
	}
	if diff := cmp.Diff(want, kinds(events)); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	if state, _ := n.Pod("p"); state.Phase != Running {
		t.Errorf("phase %s, want Running", state.Phase)
	}
}
