// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package ledger_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/ledger"
	lt "github.com/headroom-dev/headroom/ledger/ledgertest"
	"github.com/headroom-dev/headroom/placement"
)

// TestWaiting has worlds with nodes a, b and c, of which c is tainted. Images are shown with the nodes that they may come to.
func TestWaiting(t *testing.T) {
	tests := map[string]struct {
		build func(*lt.World)
		view  func(*ledger.View)
		want  []string
	}{
		"a pod that may land anywhere": {
			build: func(w *lt.World) { w.Pod("p", lt.Wants("x", "y")) }, want: []string{"xy: a b (c)"},
		},
		"one that may land on two nodes": {
			build: func(w *lt.World) { w.Pod("p", lt.Wants("x"), lt.Selects("zone=1")) }, want: []string{"x: a (c)"},
		},
		"one that can't land": {
			build: func(w *lt.World) { w.Pod("p", lt.Wants("x"), lt.Selects("zone=3")) },
		},
		"one that is tied to a node is reserved there": {
			build: func(w *lt.World) {
				w.Pod("p", lt.Wants("x"), lt.Selects("zone=2"))
				w.Pod("q", lt.Wants("x", "y"))
			},
			want: []string{"y-x: a b (c)"},
		},
		"so is one that is nominated": {
			build: func(w *lt.World) {
				w.Pod("p", lt.Wants("x"), lt.Nominated("a"), lt.Unschedulable())
				w.Pod("q", lt.Wants("x"))
			},
			want: []string{"-x: a b (c)"},
		},
		"who is held does not count": {
			build: func(w *lt.World) {
				w.Pod("p", lt.Wants("x"), lt.Gated())
				w.Pod("q", lt.Wants("y"), lt.Unschedulable())
			},
		},
		"nor who is of another namespace, tied or not": {
			build: func(w *lt.World) {
				w.Pod("p", lt.Wants("x"), lt.In("other"))
				w.Pod("q", lt.Wants("y"), lt.In("other"), lt.Selects("zone=2"))
				w.Pod("r", lt.Wants("y"))
			},
			want: []string{"y: a b (c)"},
		},
		"nor the pod judged, and its images": {
			build: func(w *lt.World) {
				w.Pod("p", lt.Wants("x", "y"))
				w.Pod("q", lt.Wants("y", "z"))
			},
			view: func(v *ledger.View) { v.Pod, v.Images = "p", []imageref.Ref{mustParse("y")} },
			want: []string{"z-y: a b (c)"},
		},
		"many that want the same count once": {
			build: func(w *lt.World) {
				w.Pod("p", lt.Wants("x"), lt.Asks(100))
				w.Pod("q", lt.Wants("x"), lt.Asks(100))
				w.Pod("r", lt.Wants("x"), lt.Asks(200))
				w.Pod("s", lt.Wants("x"), lt.NeverPulls("y"), lt.Asks(100))
			},
			want: []string{"x: a b (c)", "x: a b (c)"},
		},
		"those of the last minute, by whole seconds": {
			build: func(w *lt.World) {
				w.Pod("p", lt.Wants("x"), lt.Created(-time.Minute))
				w.Pod("q", lt.Wants("y"), lt.Created(-time.Minute-time.Second))
				w.Pod("r", lt.Wants("z"), lt.Created(time.Minute))
				w.Pod("s", lt.Wants("v"), lt.Created(time.Minute+time.Second))
			},
			want: []string{"x: a b (c)", "z: a b (c)"},
		},
		"one that was held and is not any more": {
			build: func(w *lt.World) {
				w.Pod("p", lt.Wants("x"), lt.Gated())
				w.Pod("p", lt.Wants("x"))
			},
			want: []string{"x: a b (c)"},
		},
		"one that goes, of two that came in the same second": {
			build: func(w *lt.World) {
				w.Pod("p", lt.Wants("x"))
				w.Pod("q", lt.Wants("y"))
				w.Delete("p")
			},
			want: []string{"y: a b (c)"},
		},
		"those that wait since before the first lists were in": {
			build: func(w *lt.World) {
				late := lt.Unsynced(t)
				late.Node("a", lt.Disk(1000, 900))
				late.Node("b", lt.Disk(1000, 900))
				late.Pod("p", lt.Wants("x"))
				late.Ledger.MarkSynced()
				*w = *late
			},
			want: []string{"x: a b"},
		},
		"more than are asked for: none": {
			build: func(w *lt.World) {
				for image := range strings.SplitSeq("b c d e f g h i j k l", " ") {
					w.Pod(image, lt.Wants(image))
				}
			},
		},
		"more images than are looked at: none": {
			build: func(w *lt.World) { w.Pod("p", lt.Wants(images("x", 4097)...)) },
		},
		"as many of several pods that are not the same: none": {
			build: func(w *lt.World) {
				w.Pod("p", lt.Wants(images("x", 2048)...))
				w.Pod("q", lt.Wants(images("y", 2049)...))
			},
		},
		"replicas with as many": {
			build: func(w *lt.World) {
				for _, name := range []string{"p", "q", "r"} {
					w.Pod(name, lt.Wants(images("x", 2049)...))
				}
			},
			want: []string{strings.Repeat("x", 2049) + ": a b (c)"},
		},
		"one with images that nobody knows: none": {
			build: func(w *lt.World) {
				w.Pod("p", lt.Wants("x"))
				w.Pod("q", lt.Wants("x"), lt.WantsMore())
				w.Pod("r", lt.Wants("y"))
			},
		},
		"one that is held, with images that nobody knows": {
			build: func(w *lt.World) {
				w.Pod("p", lt.Wants("x"), lt.WantsMore(), lt.Gated())
				w.Pod("q", lt.Wants("y"))
			},
			want: []string{"y: a b (c)"},
		},
		"nor who is bound": {
			build: func(w *lt.World) { w.Pod("p", lt.Wants("x"), lt.On("a")) },
		},
	}
	for what, test := range tests {
		t.Run(what, func(t *testing.T) {
			w := lt.New(t)
			w.Node("a", lt.Disk(1000, 900), lt.Label("zone=1"))
			w.Node("b", lt.Disk(1000, 900), lt.Label("zone=2"))
			w.Node("c", lt.Disk(1000, 900), lt.Label("zone=1"), lt.Taint("dedicated"))
			test.build(w)
			view := w.View()
			if test.view != nil {
				test.view(&view)
			}
			s := w.Ledger.Snapshot()
			var got []string
			for _, waiting := range s.Accounts(view).Waiting(time.Minute, 10) {
				var images strings.Builder
				for _, ref := range waiting.Images {
					images.WriteString(ref.Familiar()[:1])
				}
				for _, ref := range waiting.Others {
					images.WriteString("-" + ref.Familiar()[:1])
				}
				text := images.String() + ":"
				for row := range s.Nodes() {
					switch {
					case waiting.Possible(row):
						text += " " + row.Name
					case waiting.TiedTo(row):
						text += " (" + row.Name + ")"
					}
				}
				if nodes := waiting.Nodes(); nodes != strings.Count(strings.ReplaceAll(text, " (", ""), " ") {
					t.Errorf("%s: may come to %d nodes", text, nodes)
				}
				if nodes := waiting.TiedNodes(); nodes != strings.Count(text, " ") {
					t.Errorf("%s: could come to %d nodes", text, nodes)
				}
				got = append(got, text)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("waiting (-want +got):\n%s", diff)
			}
		})
	}
}

// images are so many names that begin alike.
func images(prefix string, count int) []string {
	names := make([]string, count)
	for i := range names {
		names[i] = prefix + strconv.Itoa(i)
	}
	return names
}

// Ready looks at what is free now, which is not what a pod could ever land on.
func TestWaitingWhereThereIsRoomNow(t *testing.T) {
	w := lt.New(t)
	w.Node("a", lt.Disk(1000, 900))
	w.Node("b", lt.Disk(1000, 900), lt.Cordoned())
	w.Node("c", lt.Disk(1000, 900), lt.NotReady())
	w.Node("d", lt.Disk(1000, 900))
	w.Pod("there", lt.On("d"), lt.Requests(placement.Resources{MilliCPU: 7901}))
	w.Pod("p", lt.Wants("x"), lt.Asks(100))
	w.Pod("old", lt.Wants("y"), lt.Created(-time.Hour))
	w.Pod("held", lt.Wants("z"), lt.Gated())
	s := w.Ledger.Snapshot()
	accounts := s.Accounts(w.View())
	waiting := accounts.Waiting(time.Minute, 10)
	if len(waiting) != 1 {
		t.Fatalf("%d wait, want 1", len(waiting))
	}
	var ready []string
	for row := range s.Nodes() {
		if !waiting[0].Possible(row) {
			t.Errorf("not possible on %s", row.Name)
		}
		if waiting[0].Ready(row) {
			ready = append(ready, row.Name)
		}
	}
	if diff := cmp.Diff([]string{"a"}, ready); diff != "" {
		t.Errorf("could go now to (-want +got):\n%s", diff)
	}
	for image, want := range map[string]bool{"x": true, "y": true, "z": false, "v": false} {
		if got := accounts.Awaited(mustParse(image)); got != want {
			t.Errorf("%s is waited for: %v", image, got)
		}
	}
}
