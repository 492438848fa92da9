// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/headroom-dev/headroom/estimate"
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
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, p := range platforms {
		f.asked = append(f.asked, ref.Familiar()+" "+p.OS+"/"+p.Architecture)
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

// reports is an Evidence: the images that nodes of one runtime report.
type reports map[imageref.Ref]imagesize.Runtime

func (r reports) Evidence(ref imageref.Ref, runtime imagesize.Runtime, _ imagesize.Platform) imagesize.Evidence {
	if reported, known := r[ref]; known && reported == runtime {
		return imagesize.Evidence{Reported: estimate.Exactly(1)}
	}
	return imagesize.Evidence{}
}

func TestWants(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		image := func(name string) ledger.PodImage { return ledger.PodImage{Ref: mustRef(t, name)} }
		nodeOf := func(name, arch string, runtime imagesize.Runtime) ledger.Node {
			return ledger.Node{Node: placement.Node{Name: name, OS: "linux", Architecture: arch}, UID: types.UID(name), Runtime: runtime}
		}
		f := &fakeRegistries{}
		known := reports{mustRef(t, "listed:1"): imagesize.Containerd}
		w := NewWants(f, func() Evidence { return known })
		stop := start(t, w.Start)
		expect := func(when string, want ...string) {
			t.Helper()
			synctest.Wait()
			if diff := cmp.Diff(want, f.take()); diff != "" {
				t.Errorf("%s (-want +got):\n%s", when, diff)
			}
		}

		w.PodSet(ledger.Pod{UID: "1", Images: []ledger.PodImage{image("app:1"), image("listed:1")}})
		expect("no node to ask for")
		w.NodeSet(nil, nodeOf("young", "", imagesize.OtherRuntime))
		expect("a node whose platform is not known")
		w.NodeSet(nil, nodeOf("a", "amd64", imagesize.Containerd))
		expect("the first node", "app:1 linux/amd64")
		w.NodeSet(nil, nodeOf("b", "amd64", imagesize.Containerd))
		w.PodSet(ledger.Pod{UID: "2", Images: []ledger.PodImage{image("app:1")}})
		expect("more of the same")
		w.NodeSet(nil, nodeOf("c", "arm64", imagesize.Containerd))
		w.NodeSet(nil, nodeOf("d", "amd64", imagesize.CRIO))
		expect("other platforms and runtimes",
			"app:1 linux/amd64", "app:1 linux/arm64", "listed:1 linux/amd64")
		w.NodeDeleted("c", "c")
		w.NodeDeleted("d", "other")

		pulled, never, failing := image("pulled:1"), image("never:1"), image("failing:1")
		pulled.Pulled, never.PullPolicy, failing.Failing = true, corev1.PullNever, true
		w.PodSet(ledger.Pod{UID: "3", NodeName: "a", Images: []ledger.PodImage{pulled, never, failing}})
		expect("a bound pod", "failing:1 linux/amd64")
		w.PodSet(ledger.Pod{UID: "3", NodeName: "a", Images: []ledger.PodImage{pulled, never, failing}, Finished: true})
		w.PodDeleted("1")
		expect("pods that end")
		time.Sleep(wantsAgain)
		expect("later", "app:1 linux/amd64")
		w.PodDeleted("2")
		if len(w.waiting)+len(w.images)+len(w.fresh) != 0 {
			t.Errorf("left behind: %v %v %v", w.waiting, w.images, w.fresh)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}
