// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/imagesize"
	"github.com/headroom-dev/headroom/ledger"
	"github.com/headroom-dev/headroom/placement"
)

// fakeRegistries writes down what is wanted.
type fakeRegistries struct {
	mu    sync.Mutex
	asked []string
}

func (f *fakeRegistries) Want(ref imageref.Ref, platforms ...imagesize.Platform) {
	f.write("", ref, platforms)
}

func (f *fakeRegistries) WantLater(ref imageref.Ref, platforms ...imagesize.Platform) {
	f.write("later ", ref, platforms)
}

func (f *fakeRegistries) write(when string, ref imageref.Ref, platforms []imagesize.Platform) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, p := range platforms {
		f.asked = append(f.asked, when+ref.Familiar()+" "+p.OS+"/"+p.Architecture)
	}
}

func (f *fakeRegistries) take() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	taken := f.asked
	f.asked = nil
	slices.Sort(taken)
	return taken
}

// layers writes to a ledger what a registry tells of an image: all its layers, or just its size.
func layers(l *ledger.Ledger, ref imageref.Ref, p imagesize.Platform, all bool) {
	m := imagesize.Manifest{Digest: "sha256:" + strings.Repeat("a", 64), CompressedBytes: 1, Layers: []imagesize.Layer{{Digest: "b", CompressedBytes: 1}}}
	if all {
		m.Layers[0].ChainID = "c"
	}
	l.SetManifest(ref, p, m)
}

// wanting runs a Wants; expect waits until nothing is under way and compares what was asked.
func wanting(t *testing.T, evidence func() Evidence) (w *Wants, expect func(when string, want ...string)) {
	t.Helper()
	f := &fakeRegistries{}
	w = NewWants(f, evidence)
	stop := start(t, w.Start)
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
	return w, func(when string, want ...string) {
		t.Helper()
		synctest.Wait()
		if diff := cmp.Diff(want, f.take()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", when, diff)
		}
	}
}

func wantingNodeRow(name, arch string, runtime imagesize.Runtime, images ...ledger.ListedImage) ledger.Node {
	return ledger.Node{Node: placement.Node{Name: name, OS: "linux", Architecture: arch}, UID: types.UID(name), Runtime: runtime, Images: images}
}

func TestWantsWhatPodsWaitFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		image := func(name string) ledger.PodImage { return ledger.PodImage{Ref: mustRef(t, name)} }
		amd64 := imagesize.Platform{OS: "linux", Architecture: "amd64"}
		l := ledger.New()
		l.MarkSynced()
		layers(l, mustRef(t, "layered:1"), amd64, true)
		layers(l, mustRef(t, "sized:1"), amd64, false)
		w, expect := wanting(t, func() Evidence { return l.Snapshot() })

		w.PodSet(ledger.Pod{UID: "1", Images: []ledger.PodImage{image("app:1"), image("layered:1"), image("sized:1")}})
		expect("no node to ask for")
		w.NodeSet(nil, wantingNodeRow("young", "", imagesize.OtherRuntime))
		expect("a node whose platform is not known")
		w.NodeSet(nil, wantingNodeRow("a", "amd64", imagesize.Containerd))
		expect("the first node", "app:1 linux/amd64", "sized:1 linux/amd64")
		w.NodeSet(nil, wantingNodeRow("b", "amd64", imagesize.CRIO))
		w.PodSet(ledger.Pod{UID: "2", Images: []ledger.PodImage{image("app:1")}})
		expect("more of the same")
		w.NodeSet(nil, wantingNodeRow("c", "arm64", imagesize.Containerd))
		expect("another platform", "app:1 linux/amd64", "app:1 linux/arm64", "layered:1 linux/arm64", "sized:1 linux/amd64", "sized:1 linux/arm64")
		w.NodeDeleted("c", "c")
		w.NodeDeleted("b", "other")

		pulled, never, failing, moving := image("pulled:1"), image("never:1"), image("failing:1"), image("layered:1")
		pulled.Pulled, never.PullPolicy, failing.Failing, moving.PullPolicy = true, corev1.PullNever, true, corev1.PullAlways
		w.PodSet(ledger.Pod{UID: "3", NodeName: "a", Images: []ledger.PodImage{pulled, never, failing}})
		expect("a bound pod", "failing:1 linux/amd64")
		w.PodSet(ledger.Pod{UID: "3", NodeName: "a", Images: []ledger.PodImage{pulled, never, failing}, Finished: true})
		w.PodDeleted("1")
		expect("pods that end")
		w.PodSet(ledger.Pod{UID: "4", Images: []ledger.PodImage{moving}})
		expect("a tag that is pulled each time", "layered:1 linux/amd64")
		time.Sleep(wantsAgain)
		expect("later", "app:1 linux/amd64", "layered:1 linux/amd64")
		layers(l, mustRef(t, "app:1"), amd64, true)
		w.PodSet(ledger.Pod{UID: "4", Images: []ledger.PodImage{image("layered:1")}})
		time.Sleep(wantsAgain)
		expect("when all is known")
		w.PodDeleted("2")
		w.PodDeleted("4")
		w.NodeDeleted("a", "")
		w.NodeDeleted("b", "")
		w.NodeDeleted("young", "young")
		if left := len(w.waiting) + len(w.images) + len(w.fresh) + len(w.platforms) + len(w.nodes); left != 0 {
			t.Errorf("left behind: %v %v %v %v %v", w.waiting, w.images, w.fresh, w.platforms, w.nodes)
		}
	})
}

func TestWantsLaterWhatNodesList(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		digest := func(name, digit string) imageref.Ref { return mustRef(t, name+"@sha256:"+strings.Repeat(digit, 64)) }
		app, other := digest("app", "a"), digest("other", "b")
		listed := func(refs ...imageref.Ref) ledger.ListedImage { return ledger.ListedImage{Refs: refs, ReportedBytes: 1} }
		l := ledger.New()
		l.MarkSynced()
		w, expect := wanting(t, func() Evidence { return l.Snapshot() })
		amd64 := "linux/amd64"

		w.NodeSet(nil, wantingNodeRow("a", "amd64", imagesize.Containerd, listed(app, digest("mirror/app", "a"), mustRef(t, "app:1")), listed(mustRef(t, "tag:1"))))
		expect("the first name by digest", "later "+app.Familiar()+" "+amd64)
		w.NodeSet(nil, wantingNodeRow("a", "amd64", imagesize.Containerd, listed(app, mustRef(t, "app:1"))))
		w.NodeSet(nil, wantingNodeRow("b", "amd64", imagesize.CRIO, listed(app)))
		expect("no image more")
		w.NodeSet(nil, wantingNodeRow("c", "arm64", imagesize.Containerd, listed(app), listed(other)))
		expect("another platform", "later "+app.Familiar()+" linux/arm64", "later "+other.Familiar()+" linux/arm64")
		layers(l, app, imagesize.Platform{OS: "linux", Architecture: "amd64"}, true)
		time.Sleep(wantsAgain)
		expect("later, of what is not known", "later "+app.Familiar()+" linux/arm64", "later "+other.Familiar()+" linux/arm64")
		w.NodeDeleted("c", "c")
		time.Sleep(wantsAgain)
		expect("nothing is left to know")
		w.NodeDeleted("a", "a")
		w.NodeDeleted("b", "b")
		if left := len(w.listed.images) + len(w.listed.fresh) + len(w.listed.open); left != 0 {
			t.Errorf("left behind: %+v", w.listed)
		}
	})
}

// TestOffersTakeTurns: with more images than may be asked about at a time, those that no registry tells don't keep the
// others from their turn.
func TestOffersTakeTurns(t *testing.T) {
	l, asked := newNodeImages(), map[nodeImage]int{}
	ref := mustRef(t, "app:1")
	for i := range 2*maxOffered + 1000 {
		l.count(nodeImage{ref, imagesize.Platform{OS: "linux", Architecture: strconv.Itoa(i)}}, 1)
	}
	nobody := func(nodeImage) bool { return false }
	rounds := [][]nodeImage{l.offer(false, nobody), l.offer(false, nobody), l.offer(true, nobody), l.offer(true, nobody)}
	for i, want := range []int{maxOffered, 0, maxOffered, maxOffered} {
		if len(rounds[i]) != want {
			t.Errorf("round %d offers %d images, want %d", i, len(rounds[i]), want)
		}
		for _, image := range rounds[i] {
			asked[image]++
		}
	}
	if len(asked) != 2*maxOffered+1000 {
		t.Errorf("%d images had their turn", len(asked))
	}
}
