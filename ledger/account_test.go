// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package ledger_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/headroom-dev/headroom/estimate"
	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/imagesize"
	"github.com/headroom-dev/headroom/ledger"
	lt "github.com/headroom-dev/headroom/ledger/ledgertest"
)

// sums are the sums of an account that the tables compare.
type sums struct {
	Settled, Pending, Reserved, Reclaimable estimate.Bytes
}

func sumsOf(a ledger.Account) sums {
	return sums{a.Settled, a.Pending, a.Reserved, a.Reclaimable}
}

func exactly(n int64) estimate.Bytes                 { return estimate.Exactly(n) }
func between(low, likely, high int64) estimate.Bytes { return estimate.Between(low, likely, high) }

// TestAccountOfBoundPods has worlds with a node "a" of 1000 bytes, 900 of them
// available, and images whose sizes the registry tells: x 100, y 200, z 50.
func TestAccountOfBoundPods(t *testing.T) {
	tests := map[string]struct {
		build func(w *lt.World)
		view  func(*ledger.View)
		want  sums
	}{
		"an image that is not there yet is pending": {
			build: func(w *lt.World) { w.Pod("p", lt.On("a"), lt.Wants("x")) },
			want:  sums{Pending: exactly(100)},
		},
		"two pods that want one image pull it once": {
			build: func(w *lt.World) {
				w.Pod("p", lt.On("a"), lt.Wants("x"))
				w.Pod("q", lt.On("a"), lt.Wants("x", "y"))
			},
			want: sums{Pending: exactly(300)},
		},
		"what is listed costs nothing": {
			build: func(w *lt.World) {
				w.Node("a", lt.Lists("x=100"))
				w.Pod("p", lt.On("a"), lt.Wants("x"))
			},
		},
		"what another pod has pulled costs nothing, though the list is behind": {
			build: func(w *lt.World) {
				w.Pod("q", lt.On("a"), lt.Runs(w.Now, "x"))
				w.Pod("p", lt.On("a"), lt.Wants("x"))
			},
		},
		"an image that is never pulled costs nothing": {
			build: func(w *lt.World) { w.Pod("p", lt.On("a"), lt.NeverPulls("x")) },
		},
		"a finished pod waits for nothing": {
			build: func(w *lt.World) { w.Pod("p", lt.On("a"), lt.Wants("x"), lt.Finished()) },
		},
		"a pull that is under way has shown some of its bytes": {
			build: func(w *lt.World) {
				w.Pod("p", lt.On("a"), lt.Wants("x"))
				w.Advance(time.Second)
				w.Sample("a", 870)
			},
			want: sums{Pending: between(70, 70, 100)},
		},
		"bytes that came back don't undo what was lost": {
			build: func(w *lt.World) {
				w.Pod("p", lt.On("a"), lt.Wants("x"))
				for _, available := range []int64{840, 880, 860} {
					w.Advance(time.Second)
					w.Sample("a", available)
				}
			},
			want: sums{Pending: between(20, 20, 100)},
		},
		"lost bytes count for each low bound and once for the likely values, oldest first": {
			build: func(w *lt.World) {
				w.Pod("p", lt.On("a"), lt.Wants("x"))
				w.Advance(time.Second)
				w.Sample("a", 890)
				w.Pod("q", lt.On("a"), lt.Wants("y"))
				w.Advance(time.Second)
				w.Sample("a", 770)
			},
			// Lost since p 130, since q 120. x has its 100, y what is left: 30.
			want: sums{Pending: between(80, 170, 300)},
		},
		"a started container's image still counts until a sample was taken": {
			build: func(w *lt.World) {
				w.Pod("p", lt.On("a"), lt.Wants("x"))
				w.Advance(time.Second)
				w.Sample("a", 870)
				w.Advance(time.Second)
				w.Pod("p", lt.On("a"), lt.Runs(w.Now, "x"))
			},
			want: sums{Settled: between(70, 70, 100)},
		},
		"a sample ends what is settled, and a restart does not begin it again": {
			build: func(w *lt.World) {
				w.Pod("p", lt.On("a"), lt.Wants("x"))
				w.Advance(time.Second)
				w.Pod("p", lt.On("a"), lt.Runs(w.Now, "x"))
				w.Advance(time.Second)
				w.Sample("a", 800)
				w.Advance(time.Second)
				w.Pod("p", lt.On("a"), lt.Runs(w.Now, "x"))
			},
		},
		"bytes that an image used that is done are not another one's": {
			build: func(w *lt.World) {
				w.Pod("p", lt.On("a"), lt.Wants("x"))
				w.Pod("q", lt.On("a"), lt.Wants("y"))
				w.Advance(time.Second)
				w.Pod("p", lt.On("a"), lt.Runs(w.Now, "x"))
				w.Advance(time.Second)
				w.Sample("a", 790)
			},
			want: sums{Pending: between(90, 190, 200)},
		},
		"a job that has finished before a sample was taken is settled": {
			build: func(w *lt.World) {
				w.Pod("p", lt.On("a"), lt.Wants("x"))
				w.Advance(time.Second)
				w.Pod("p", lt.On("a"), lt.Runs(w.Now, "x"), lt.Finished())
			},
			want: sums{Settled: between(100, 100, 100)},
		},
		"an image without a start time is settled until a sample after we saw it": {
			build: func(w *lt.World) {
				w.Pod("p", lt.On("a"), lt.Wants("x"))
				w.Advance(time.Second)
				w.Pod("p", lt.On("a"), lt.Runs(time.Time{}, "x"))
			},
			want: sums{Settled: between(100, 100, 100)},
		},
		"failing for two minutes leaves the high bound": {
			build: func(w *lt.World) {
				w.Pod("p", lt.On("a"), lt.FailsToPull("x"))
				w.Advance(2 * time.Minute)
			},
			want: sums{Pending: between(0, 0, 100)},
		},
		"failing for less counts in full": {
			build: func(w *lt.World) {
				w.Pod("p", lt.On("a"), lt.FailsToPull("x"))
				w.Advance(2*time.Minute - time.Second)
			},
			want: sums{Pending: exactly(100)},
		},
		"failing with a break begins again": {
			build: func(w *lt.World) {
				w.Pod("p", lt.On("a"), lt.FailsToPull("x"))
				w.Advance(time.Minute)
				w.Pod("p", lt.On("a"), lt.Wants("x"))
				w.Pod("p", lt.On("a"), lt.FailsToPull("x"))
				w.Advance(time.Minute)
			},
			want: sums{Pending: exactly(100)},
		},
		"one pod that does not fail is enough": {
			build: func(w *lt.World) {
				w.Pod("p", lt.On("a"), lt.FailsToPull("x"))
				w.Advance(2 * time.Minute)
				w.Pod("q", lt.On("a"), lt.Wants("x"))
			},
			want: sums{Pending: exactly(100)},
		},
		"a pod that is going adds to the high bound": {
			build: func(w *lt.World) { w.Pod("p", lt.On("a"), lt.Wants("x"), lt.Deleting()) },
			want:  sums{Pending: between(0, 0, 100)},
		},
		"what the pod judged needs anyway is not doubtful besides": {
			build: func(w *lt.World) { w.Pod("p", lt.On("a"), lt.Wants("x", "y"), lt.Deleting()) },
			view:  func(v *ledger.View) { v.Images = []imageref.Ref{mustParse("x")} },
			want:  sums{Pending: between(0, 0, 200)},
		},
		"the pod judged is left out": {
			build: func(w *lt.World) {
				w.Pod("p", lt.On("a"), lt.Wants("x"))
				w.Pod("q", lt.On("a"), lt.Wants("y"))
			},
			view: func(v *ledger.View) { v.Pod = "p" },
			want: sums{Pending: exactly(200)},
		},
		"another namespace's image has no low bound when only a registry tells its size": {
			build: func(w *lt.World) { w.Pod("p", lt.On("a"), lt.Wants("x"), lt.In("other")) },
			want:  sums{Pending: between(0, 100, 100)},
		},
		"unless the pod judged wants it, too": {
			build: func(w *lt.World) { w.Pod("p", lt.On("a"), lt.Wants("x"), lt.In("other")) },
			view:  func(v *ledger.View) { v.Images = []imageref.Ref{mustParse("x")} },
			want:  sums{Pending: exactly(100)},
		},
		"or a node tells it": {
			build: func(w *lt.World) {
				w.Node("b", lt.Lists("x=100"))
				w.Pod("p", lt.On("a"), lt.Wants("x"), lt.In("other"))
			},
			want: sums{Pending: exactly(100)},
		},
		"an image that may be there has no low bound": {
			build: func(w *lt.World) {
				w.Node("a", lt.ListsNothing())
				w.Pod("p", lt.On("a"), lt.Wants("x"))
			},
			want: sums{Pending: between(0, 100, 100), Reclaimable: between(0, 0, 100)},
		},
		"unused images are reclaimable, but for the sandbox image": {
			build: func(w *lt.World) {
				w.Node("a", lt.Lists("k=30", "m=20", "n=10", "registry.k8s.io/pause:3.10=40"))
				w.Pod("p", lt.On("a"), lt.Runs(w.Now, "m"))
				w.Pod("q", lt.On("a"), lt.Runs(w.Now, "n"), lt.Finished())
			},
			want: sums{Reclaimable: between(0, 40, 40)},
		},
		"an image that is only named like the sandbox image is larger, and reclaimable": {
			build: func(w *lt.World) { w.Node("a", lt.Lists("team/pause=5000000")) },
			want:  sums{Reclaimable: between(0, 100, 100)},
		},
		"an image in use under another of its names is not reclaimable": {
			build: func(w *lt.World) {
				w.Node("a", lt.Lists("x|y|mirror.example/x:2=30"))
				w.Pod("p", lt.On("a"), lt.Runs(w.Now, "mirror.example/x:2"))
			},
		},
		"no more is reclaimable than is used": {
			build: func(w *lt.World) { w.Node("a", lt.Lists("x=300")) },
			want:  sums{Reclaimable: between(0, 100, 100)},
		},
		"a list that is cut hides what is reclaimable": {
			build: func(w *lt.World) { w.Node("a", lt.Lists("x=10"), lt.ListCap(1)) },
			want:  sums{Reclaimable: between(0, 10, 100)},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w := lt.New(t)
			w.Node("a", lt.Disk(1000, 900))
			w.Registry("x", 100)
			w.Registry("y", 200)
			w.Registry("z", 50)
			test.build(w)
			var changes []func(*ledger.View)
			if test.view != nil {
				changes = append(changes, test.view)
			}
			account := w.Account("a", changes...)
			if diff := cmp.Diff(test.want, sumsOf(account)); diff != "" {
				t.Errorf("account (-want +got):\n%s", diff)
			}
			want := account.Measured.Minus(account.Settled).Minus(account.Pending).Minus(account.Reserved)
			if account.Available != want {
				t.Errorf("available %+v, want %+v", account.Available, want)
			}
		})
	}
}

func TestPullingIsWhatCostsOneMorePodNothing(t *testing.T) {
	w := lt.New(t)
	w.Node("a", lt.Disk(1000, 900))
	w.Pod("p", lt.On("a"), lt.Wants("y", "x"))
	w.Pod("q", lt.On("a"), lt.FailsToPull("z"))
	w.Advance(failing)
	got := names(w.Account("a").Pulling)
	if diff := cmp.Diff([]string{"docker.io/library/x:latest", "docker.io/library/y:latest"}, got); diff != "" {
		t.Errorf("pulling (-want +got):\n%s", diff)
	}
	if got := w.Account("a", func(v *ledger.View) { v.Pod = "p" }).Pulling; len(got) != 0 {
		t.Errorf("pulling for others than the pod judged: %v, want none", got)
	}
	if !w.Row("a").AwaitsPull() {
		t.Error("the node awaits no pull")
	}
}

const failing = 2 * time.Minute

func names(refs []imageref.Ref) []string {
	var all []string
	for _, ref := range refs {
		all = append(all, ref.String())
	}
	return all
}

func mustParse(name string) imageref.Ref {
	ref, err := imageref.Parse(name)
	if err != nil {
		panic(err) // A mistake of the test.
	}
	return ref
}

func TestSizesWithoutAViewOfThem(t *testing.T) {
	w := lt.New(t)
	w.Node("a", lt.Disk(100_000, 90_000))
	w.Registry("x", 1000)
	w.Pod("p", lt.On("a"), lt.Wants("x"))
	got := w.Account("a", func(v *ledger.View) { v.Size = nil }).Pending
	if want := exactly(1000).Times(imagesize.ReportedFactor(imagesize.Containerd)); got != want {
		t.Errorf("pending %+v, want the runtime's own factor: %+v", got, want)
	}
}
