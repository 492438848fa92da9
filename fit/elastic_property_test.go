// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fit

import (
	"maps"
	"testing"

	"github.com/headroom-dev/headroom/ledger"
	"github.com/headroom-dev/headroom/placement"
)

// A sign of an autoscaler more never turns an admission into a denial, and neither does asking for more than any node has.
func TestSignsOfAnAutoscalerNeverDeny(t *testing.T) {
	signs := map[string]func(chance, *ledger.Ledger){
		"a label": func(c chance, l *ledger.Ledger) {
			for row := range l.Snapshot().Nodes() {
				if c.oneIn(2) {
					labelled := ledger.Node{Node: row.Node.Node, UID: row.UID, Runtime: row.Runtime, EphemeralStorageBytes: row.EphemeralStorageBytes}
					if _, told := row.ImagesListed(); told {
						labelled.Images = []ledger.ListedImage{}
						for image := range row.Images() {
							labelled.Images = append(labelled.Images, *image)
						}
					}
					labelled.Labels = maps.Clone(row.Labels)
					labelled.Labels[pick(c, AutoscalerLabels()...)] = "v"
					l.SetNode(labelled)
				}
			}
		},
		"a status": func(_ chance, l *ledger.Ledger) {
			a := l.Snapshot().Autoscaler()
			a.Present = true
			l.SetAutoscaler(a)
		},
		"a group without nodes": func(_ chance, l *ledger.Ledger) {
			l.SetAutoscaler(ledger.Autoscaler{Present: true, Groups: []ledger.NodeGroup{{Name: "asg", MaxNodes: 1}}})
		},
	}
	same := func(r Request, _ wishes) Request { return r }
	for what, add := range signs {
		t.Run(what, func(t *testing.T) { neverDenies(t, add, same) })
	}
	t.Run("more requests", func(t *testing.T) {
		neverDenies(t, func(chance, *ledger.Ledger) {}, func(r Request, w wishes) Request {
			w.gpus += 2
			r.Placement = placement.Of(&w.pod().Spec)
			return r
		})
	})
}

func neverDenies(t *testing.T, add func(chance, *ledger.Ledger), wish func(Request, wishes) Request) {
	t.Helper()
	admitted, changed := 0, 0
	for seed := range uint64(worlds / 4) {
		c := chanceOf(seed)
		l, p := c.ledger(c.nodes()), c.policy()
		r, w := c.request()
		before := Evaluate(l.Snapshot(), r, p, epoch)
		if before.Action == Deny {
			continue
		}
		admitted++
		add(c, l)
		after := Evaluate(l.Snapshot(), wish(r, w), p, epoch)
		if after.Action == Deny {
			t.Fatalf("seed %d: %s; then: %s", seed, before.Message, after.Message)
		}
		if before.Message != after.Message {
			changed++
		}
	}
	if admitted < worlds/12 || changed < worlds/600 {
		t.Errorf("%d admissions, of which %d changed", admitted, changed)
	}
}
