// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package disk

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// decisions leaves out what only tells of progress.
func decisions(events []Event) []string {
	return kinds(slices.DeleteFunc(slices.Clone(events), func(e Event) bool {
		return slices.Contains([]Kind{ImagePulling, ImagePresent, ImageBackOff, ContainerExited, ThresholdMet}, e.Kind)
	}))
}

func TestOneImageTooManyEvictsPodsThatRanBefore(t *testing.T) {
	cfg := testConfig(t)
	cfg.OtherUsedBytes = 100 * mb
	n := newNode(t, cfg)
	events := n.AddPod(t0, podOf("p1", "a"))
	events = append(events, n.AddPod(at(1), podOf("p2", "b"))...)
	events = append(events, n.AddPod(at(70), podOf("p3", "c"))...)
	events = append(events, n.Advance(at(119))...)
	events = append(events, n.AddPod(at(119.5), podOf("late", "a"))...)
	want := []string{
		"30s Pulled p1 a", "1m0s Pulled p2 b",
		// p3 leaves 1000-100-600-155 MB, under the line of 150 MB, from 85.1 s on.
		"1m30s PressureOn",
		// A pod that is still pulling has no statistics, so it goes first, and its
		// bytes come back.
		"1m30s PodEvicted p3",
		"1m59.5s PodRejected late",
	}
	if diff := cmp.Diff(want, decisions(events)); diff != "" {
		t.Fatalf("decisions (-want +got):\n%s", diff)
	}

	// With the disk filled by something else, innocent pods follow: their images are
	// too young to be deleted, as the kubelet first saw them 90 s after the start.
	events = n.SetOtherUsedBytes(at(120), 350*mb)
	events = append(events, n.Advance(at(600))...)
	want = []string{
		"2m1s PodEvicted p1", "2m12s PodEvicted p2",
		"3m33s ImageDeleted  docker.io/library/a:latest", "3m33s ImageDeleted  docker.io/library/b:latest",
		"8m33s PressureOff",
	}
	if diff := cmp.Diff(want, decisions(events)); diff != "" {
		t.Errorf("decisions (-want +got):\n%s", diff)
	}
	state, _ := n.Pod("p1")
	if state.Phase != Failed || state.Reason != "Evicted" || !strings.HasPrefix(state.Message, "The node was low on resource: ephemeral-storage. Threshold quantity: 150000") {
		t.Errorf("p1 is %s %s: %s", state.Phase, state.Reason, state.Message)
	}
}

func TestAFinishedPodHoldsItsImageUntilPressure(t *testing.T) {
	for sentence, test := range map[string]struct {
		available int64 // of 1000 MB
		want      []string
	}{
		"the periodic collection leaves it": {155 * mb, []string{"5m0s FreeDiskSpaceFailed", "5m0s ImageGCFailed"}},
		"the eviction manager deletes the dead container first, then the image": {
			149 * mb, []string{"4m30s PressureOn", "4m30s ContainersDeleted p", "4m30s ImageDeleted  docker.io/library/a:latest"},
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			cfg := testConfig(t)
			cfg.DetectPeriod = 35 * time.Second
			n := newNode(t, cfg)
			p := podOf("p", "a")
			p.Containers[0].RunFor = 10 * time.Second
			n.AddPod(t0, p)
			n.Advance(at(265))
			events := n.SetOtherUsedBytes(at(265), 700*mb-test.available)
			events = append(events, n.Advance(at(301))...)
			if diff := cmp.Diff(test.want, decisions(events)); diff != "" {
				t.Errorf("decisions (-want +got):\n%s", diff)
			}
		})
	}
}

func TestPressureDeletesAllUnusedImagesCollectionOnlySome(t *testing.T) {
	for sentence, test := range map[string]struct {
		available int64
		want      int // images left of three that nobody uses
	}{
		"16 % available: nothing": {160 * mb, 3},
		// Freed is counted in reported bytes: 41 MB are wanted, one image of 100 MB.
		"15.9 % available: one image": {159 * mb, 2},
		"14.9 % available: all":       {149 * mb, 0},
	} {
		t.Run(sentence, func(t *testing.T) {
			cfg := testConfig(t)
			cfg.DiskBytes = 2000 * mb
			cfg.Thresholds[0].Line.Share /= 2
			cfg.GCHighPercent, cfg.GCLowPercent = 93, 90 // lines at 160 MB and 200 MB of 2000 MB
			cfg.PreloadedImages = []string{"a", "b", "c"}
			n := newNode(t, cfg)
			n.SetOtherUsedBytes(at(285), 1100*mb-test.available)
			n.Advance(at(301))
			if got := len(n.Images()); got != test.want {
				t.Errorf("%d images left, want %d", got, test.want)
			}
		})
	}
}

func TestAgeCountsFromDetectionNotFromThePull(t *testing.T) {
	cfg := testConfig(t)
	cfg.EvictionPeriod, cfg.DetectPeriod, cfg.GCPeriod = -1, -1, -1
	n := newNode(t, cfg)
	n.Advance(t0)
	if _, err := n.PullImage(at(1), "a"); err != nil {
		t.Fatal(err)
	}
	n.SetOtherUsedBytes(at(1), 600*mb)
	n.SyncEviction(at(200)) // sees the image for the first time
	if len(n.Images()) != 1 {
		t.Fatal("the image was deleted when it was first seen")
	}
	n.Housekeep(at(319))
	n.SyncEviction(at(319.9))
	if len(n.Images()) != 1 {
		t.Fatal("the image was deleted before its minimum age")
	}
	n.Housekeep(at(320))
	n.SyncEviction(at(320))
	if len(n.Images()) != 0 {
		t.Error("the image was not deleted at its minimum age")
	}
}

func TestANodeDiskOfItsOwnEvictsWithoutTouchingImages(t *testing.T) {
	n := newNode(t, testConfig(t))
	n.AddPod(t0, podOf("p", "a"))
	if _, err := n.PullImage(t0, "one"); err != nil {
		t.Fatal(err)
	}
	n.Advance(at(301))
	events := n.SetNodeFSUsedBytes(at(301), n.Config().NodeFSBytes)
	events = append(events, n.Advance(at(311))...)
	if diff := cmp.Diff([]string{"5m10s PressureOn", "5m10s PodEvicted p"}, decisions(events)); diff != "" {
		t.Errorf("decisions (-want +got):\n%s", diff)
	}
	if len(n.Images()) != 2 {
		t.Errorf("%d images left, want both", len(n.Images()))
	}
}

func TestCriticalPodsAreAdmittedAndNeverEvicted(t *testing.T) {
	cfg := testConfig(t)
	cfg.OtherUsedBytes = 900 * mb
	n := newNode(t, cfg)
	n.Advance(at(1))
	p := podOf("p", "one")
	p.Critical = true
	events := append(n.AddPod(at(2), p), n.Advance(at(60))...)
	for _, e := range events {
		if e.Kind == PodRejected || e.Kind == PodEvicted {
			t.Errorf("%s at %v", e.Kind, e.At.Sub(t0))
		}
	}
}

func TestPinnedImagesStay(t *testing.T) {
	n := newNode(t, testConfig(t))
	img := SimpleImage("pause", 300*mb, 900*mb)
	img.Pinned = true
	if err := n.SetImage("pause", img); err != nil {
		t.Fatal(err)
	}
	if _, err := n.PullImage(t0, "pause"); err != nil {
		t.Fatal(err)
	}
	n.Advance(at(3600))
	if len(n.Images()) != 1 {
		t.Error("the pinned image was deleted")
	}
}

func TestManySmallStepsDecideAsOneLarge(t *testing.T) {
	run := func(seed uint64, step time.Duration) (events []Event) {
		n := newNode(t, testConfig(t))
		random := rand.New(rand.NewPCG(seed, 1))
		images := []string{"a", "b", "c", "huge", "one", "two", "unknown"}
		now := t0
		for i := range 40 {
			until := now.Add(time.Duration(random.IntN(60)) * time.Second)
			for ; step > 0 && now.Before(until); now = now.Add(step) {
				events = append(events, n.Advance(now)...)
			}
			now = until
			switch random.IntN(4) {
			case 0:
				events = append(events, n.RemovePod(now, strconv.Itoa(random.IntN(i+1)))...)
			case 1:
				events = append(events, n.SetOtherUsedBytes(now, random.Int64N(700*mb))...)
			default:
				events = append(events, n.AddPod(now, podOf(strconv.Itoa(i), images[random.IntN(len(images))], images[random.IntN(len(images))]))...)
			}
			if used := n.UsedBytes(); used < 0 {
				t.Fatalf("seed %d: %d bytes used", seed, used)
			}
		}
		events = append(events, n.Advance(now.Add(time.Hour))...)
		for _, p := range slices.Clone(n.pods) {
			n.RemovePod(now.Add(time.Hour), p.ID)
		}
		for _, image := range n.Images() {
			n.RemoveImage(now.Add(time.Hour), image.ID)
		}
		if got := n.UsedBytes() - n.cfg.OtherUsedBytes; got != 0 || len(n.store.objects) != 0 {
			t.Errorf("seed %d: %d bytes and %d objects left over", seed, got, len(n.store.objects))
		}
		return events
	}
	for seed := range uint64(30) {
		if diff := cmp.Diff(run(seed, 0), run(seed, 700*time.Millisecond)); diff != "" {
			t.Fatalf("seed %d (-one step +small steps):\n%s", seed, diff)
		}
	}
}
