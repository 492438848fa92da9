// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package ledger_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/headroom-dev/headroom/estimate"
	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/ledger"
	lt "github.com/headroom-dev/headroom/ledger/ledgertest"
)

// TestAccountOfUnboundPods has worlds with nodes a, b, c and d of 1000 bytes, of
// which d is of zone 2 and the others of zone 1. The registry tells: x 120, y 40.
func TestAccountOfUnboundPods(t *testing.T) {
	tests := map[string]struct {
		build   func(w *lt.World)
		view    func(*ledger.View)
		a, b, d estimate.Bytes
	}{
		"a pod that may land anywhere likely takes its part of every node": {
			build: func(w *lt.World) { w.Pod("p", lt.Wants("x")) },
			a:     between(0, 30, 120), b: between(0, 30, 120), d: between(0, 30, 120),
		},
		"pods that want one image make it likelier": {
			build: func(w *lt.World) {
				w.Pod("p", lt.Wants("x"))
				w.Pod("q", lt.Wants("x"))
			},
			a: between(0, 60, 120), b: between(0, 60, 120), d: between(0, 60, 120),
		},
		"but never more than once": {
			build: func(w *lt.World) {
				for _, name := range []string{"p", "q", "r", "s", "t"} {
					w.Pod(name, lt.Wants("x"))
				}
			},
			a: between(0, 120, 120), b: between(0, 120, 120), d: between(0, 120, 120),
		},
		"a node that may have the image holds less than that of anything": {
			build: func(w *lt.World) {
				w.Node("a", lt.ListsNothing())
				w.Node("b", lt.ListsNothing(), lt.Label("zone=1"))
				w.Pod("p", lt.Wants("x"), lt.Selects("kubernetes.io/hostname=a"))
				w.Pod("q", lt.Wants("y"), lt.Selects("kubernetes.io/hostname=b"))
			},
			a: exactly(120), b: between(0, 40, 40),
		},
		"a selector leaves out other nodes": {
			build: func(w *lt.World) { w.Pod("p", lt.Wants("x"), lt.Selects("zone=1")) },
			a:     between(0, 40, 120), b: between(0, 40, 120),
		},
		"a pod tied to one node counts there in full": {
			build: func(w *lt.World) { w.Pod("p", lt.Wants("x"), lt.Selects("kubernetes.io/hostname=a")) },
			a:     exactly(120),
		},
		"a node that only a taint leaves over is not one the pod is tied to": {
			build: func(w *lt.World) {
				for _, name := range []string{"b", "c"} {
					w.Node(name, lt.Disk(1000, 900), lt.Label("zone=1"), lt.Taint("dedicated"))
				}
				w.Pod("p", lt.Wants("x"), lt.Selects("zone=1"))
			},
			a: between(0, 120, 120),
		},
		"a nominated pod counts in full where the scheduler plans it": {
			build: func(w *lt.World) { w.Pod("p", lt.Wants("x"), lt.Nominated("a"), lt.Unschedulable()) },
			a:     exactly(120), b: between(0, 0, 120), d: between(0, 0, 120),
		},
		"gated and unschedulable pods add to the high bound": {
			build: func(w *lt.World) {
				w.Pod("p", lt.Wants("x"), lt.Gated())
				w.Pod("q", lt.Wants("y"), lt.Unschedulable())
			},
			a: between(0, 0, 160), b: between(0, 0, 160), d: between(0, 0, 160),
		},
		"finished and deleted pods, and images never pulled, reserve nothing": {
			build: func(w *lt.World) {
				w.Pod("p", lt.Wants("x"), lt.Finished())
				w.Pod("q", lt.Wants("x"), lt.Deleting())
				w.Pod("r", lt.NeverPulls("x"))
			},
		},
		"what is on the node, or pending, is not reserved besides": {
			build: func(w *lt.World) {
				w.Node("a", lt.Lists("x=120"), lt.Label("zone=1"))
				w.Pod("p", lt.Wants("x"))
				w.Pod("q", lt.Wants("x"), lt.On("b"))
			},
			d: between(0, 30, 120),
		},
		"the pod judged and its images are left out": {
			build: func(w *lt.World) {
				w.Pod("p", lt.Wants("x", "y"))
				w.Pod("q", lt.Wants("x"))
			},
			view: func(v *ledger.View) { v.Images = []imageref.Ref{mustParse("x")} },
			a:    between(0, 10, 40), b: between(0, 10, 40), d: between(0, 10, 40),
		},
		"the pod judged is left out by its UID, too": {
			build: func(w *lt.World) {
				w.Pod("p", lt.Wants("x", "y"))
				w.Pod("q", lt.Wants("x"))
			},
			view: func(v *ledger.View) { v.Pod = "p" },
			a:    between(0, 30, 120), b: between(0, 30, 120), d: between(0, 30, 120),
		},
		"pods of another namespace have no low bound, wherever they are tied to": {
			build: func(w *lt.World) {
				w.Node("c", lt.Disk(1000, 900), lt.Label("zone=1"), lt.Lists("x=120")) // no claim
				w.Pod("p", lt.Wants("x"), lt.Selects("kubernetes.io/hostname=a"), lt.In("other"))
				w.Pod("q", lt.Wants("y"), lt.Nominated("b"), lt.Unschedulable(), lt.In("other"))
			},
			a: between(0, 120, 160), b: between(0, 40, 40), d: between(0, 0, 40),
		},
		"nor do they get one from a pod of ours that may go elsewhere": {
			build: func(w *lt.World) {
				w.Pod("p", lt.Wants("x"), lt.Selects("kubernetes.io/hostname=a"), lt.In("other"))
				w.Pod("q", lt.Wants("x"), lt.Selects("zone=1"))
			},
			a: between(0, 120, 120), b: between(0, 40, 120),
		},
		"a pod that was bound reserves nothing": {
			build: func(w *lt.World) {
				w.Pod("p", lt.Wants("x"))
				w.Pod("p", lt.Wants("x"), lt.On("d"))
			},
		},
		"a node that comes later is a candidate, too": {
			build: func(w *lt.World) {
				w.Pod("p", lt.Wants("x"))
				w.Node("e")
				w.Node("f")
			},
			a: between(0, 20, 120), b: between(0, 20, 120), d: between(0, 20, 120),
		},
		"a node that goes is none": {
			build: func(w *lt.World) {
				w.Pod("p", lt.Wants("x"))
				w.Ledger.DeleteNode("c", "c")
			},
			a: between(0, 40, 120), b: between(0, 40, 120), d: between(0, 40, 120),
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w := lt.New(t)
			for _, node := range []string{"a", "b", "c"} {
				w.Node(node, lt.Disk(1000, 900), lt.Label("zone=1"))
			}
			w.Node("d", lt.Disk(1000, 900), lt.Label("zone=2"))
			w.Registry("x", 120)
			w.Registry("y", 40)
			test.build(w)
			for node, want := range map[string]estimate.Bytes{"a": test.a, "b": test.b, "d": test.d} {
				got := w.Account(node, func(v *ledger.View) {
					if test.view != nil {
						test.view(v)
					}
				}).Reserved
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("reserved on %s (-want +got):\n%s", node, diff)
				}
			}
		})
	}
}
