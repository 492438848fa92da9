// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package ledger_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/ledger"
	lt "github.com/headroom-dev/headroom/ledger/ledgertest"
)

// TestWaiting has worlds with nodes a, b and c, of which c is tainted. Images are shown with the nodes that they may come to.
func TestWaiting(t *testing.T) {
	tests := map[string]struct {
		build func(*lt.World)
		view  func(*ledger.View)
		want  []string
	}{
		"a pod that may land anywhere": {
			build: func(w *lt.World) { w.Pod("p", lt.Wants("x", "y")) }, want: []string{"x: a b (c)", "y: a b (c)"},
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
				w.Pod("q", lt.Wants("x"))
			},
		},
		"so is one that is nominated": {
			build: func(w *lt.World) {
				w.Pod("p", lt.Wants("x"), lt.Nominated("a"), lt.Unschedulable())
				w.Pod("q", lt.Wants("x"))
			},
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
			want: []string{"z: a b (c)"},
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
			for _, waiting := range s.Accounts(view).Waiting() {
				text := waiting.Ref.Familiar()[:1] + ":"
				for row := range s.Nodes() {
					switch {
					case waiting.Possible(row):
						text += " " + row.Name
					case waiting.TiedTo(row):
						text += " (" + row.Name + ")"
					}
				}
				if nodes := waiting.Nodes(); nodes != len(strings.Fields(text))-2 {
					t.Errorf("%s: may come to %d nodes", text, nodes)
				}
				got = append(got, text)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("waiting (-want +got):\n%s", diff)
			}
		})
	}
}
