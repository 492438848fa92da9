// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fit

import (
	"reflect"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/headroom-dev/headroom/ledger"
	"github.com/headroom-dev/headroom/placement"
	"github.com/headroom-dev/headroom/policy"
	"github.com/headroom-dev/headroom/verdict"
)

// pinned is the request of a pod that can go to one node only.
func pinned(r Request, name string) Request {
	r.Placement = placement.Of(&corev1.PodSpec{NodeSelector: map[string]string{corev1.LabelHostname: name}})
	return r
}

// TestSteeringLaws holds Steer against Evaluate of the same pod on one node at a time.
func TestSteeringLaws(t *testing.T) {
	sentBack, reasons := 0, map[Reason]int{}
	for seed := range uint64(worlds / 2) {
		c := chanceOf(seed)
		nodes := c.nodes()
		if len(nodes) == 0 {
			continue
		}
		l, p := c.ledger(nodes), c.policy()
		p.Steer = policy.SteerOn
		r, _ := c.request()
		for pod := range l.Snapshot().UnboundPods() {
			l.DeletePod(pod.UID, epoch) // Evaluate looks at them, too.
		}
		target, s := pick(c, nodes...).name, l.Snapshot()
		d := Steer(s, r, Choice{Node: target}, p, epoch)
		reasons[d.Reason]++
		if again := Steer(s, r, Choice{Node: target}, p, epoch); !reflect.DeepEqual(d, again) {
			t.Fatalf("seed %d: decided differently the second time:\n%+v\n%+v", seed, d, again)
		}
		if !d.SendBack {
			if d.Reason == NoOtherNode {
				checkNoOther(t, seed, s, &r, target, p)
			}
			continue
		}
		sentBack++
		there := Evaluate(s, pinned(r, target), p, epoch)
		if !there.Verdict.AtLeast(p.DenyAt) && there.Possible > 0 {
			t.Fatalf("seed %d: sent back from %s where the pod alone %s: %s", seed, target, there.Verdict, d.Message)
		}
		if d.Other == target || !wouldDo(s, &r, d.Other, p) {
			t.Fatalf("seed %d: %s would not do in place of %s: %s", seed, d.Other, target, d.Message)
		}
		checkMessage(t, &Decision{Message: d.Message}, p, &r)
		checkMonotony(t, seed, l, &r, target, p)
	}
	if sentBack < worlds/100 || reasons[NoOtherNode] < worlds/100 {
		t.Errorf("%d sent back, let through %v", sentBack, reasons)
	}
	t.Logf("%d sent back, let through %v", sentBack, reasons)
}

// wouldDo reports whether the pod alone could go to a node, now and without a warning.
func wouldDo(s *ledger.Snapshot, r *Request, name string, p *policy.Policy) bool {
	row, _ := s.Node(name)
	if !r.Placement.Possible(&row.Node.Node, func(key string) bool { return slices.Contains(p.StartupTaints, key) }) {
		return false
	}
	there := Evaluate(s, pinned(*r, name), p, epoch)
	// A warning is what more than half of the nodes are for: the one.
	return there.Likely == 1 && there.Overloaded == 0 && there.Verdict != verdict.Unknown
}

func checkNoOther(t *testing.T, seed uint64, s *ledger.Snapshot, r *Request, target string, p *policy.Policy) {
	t.Helper()
	for row := range s.Nodes() {
		if row.Name != target && wouldDo(s, r, row.Name, p) && r.Placement.Likely(&row.Node.Node, row.Free()) {
			t.Fatalf("seed %d: %s would do in place of %s, and was not found", seed, row.Name, target)
		}
	}
}

// checkMonotony: a binding that is sent back is let through once there is nothing better, the pod tolerates the taint, or
// what is known is old.
func checkMonotony(t *testing.T, seed uint64, l *ledger.Ledger, r *Request, target string, p *policy.Policy) {
	t.Helper()
	through := func(what string, d Steering) {
		t.Helper()
		if d.SendBack {
			t.Fatalf("seed %d: sent back from %s although %s: %s", seed, target, what, d.Message)
		}
	}
	tied, calm, off := pinned(*r, target), *r, *p
	through("the pod can go nowhere else", Steer(l.Snapshot(), tied, Choice{Node: target}, p, epoch))
	calm.Placement = placement.Of(&corev1.PodSpec{Tolerations: []corev1.Toleration{{Operator: corev1.TolerationOpExists}}})
	through("it tolerates the taint", Steer(l.Snapshot(), calm, Choice{Node: target}, p, epoch))
	off.Steer = policy.SteerOff
	through("steering is off", Steer(l.Snapshot(), *r, Choice{Node: target}, &off, epoch))
	if late := Steer(l.Snapshot(), *r, Choice{Node: target}, p, epoch.Add(time.Hour)); late.SendBack && late.Target.Account.Tier != ledger.Declared {
		t.Fatalf("seed %d: sent back on samples that are an hour old: %s", seed, late.Message)
	}
	if milder := slices.Index(verdict.All(), p.DenyAt) + 1; milder < 6 {
		later := *p
		later.DenyAt = verdict.All()[milder]
		if d := Steer(l.Snapshot(), *r, Choice{Node: target}, &later, epoch); d.SendBack && !d.Verdict.AtLeast(later.DenyAt) {
			t.Fatalf("seed %d: sent back for %s with denyAt %s", seed, d.Verdict, later.DenyAt)
		}
	}
	for row := range l.Snapshot().Nodes() {
		if row.Name != target {
			avoided := *row.Node
			avoided.Taints = append(slices.Clone(avoided.Taints), placement.SoftTaint(epoch))
			l.SetNode(avoided)
		}
	}
	through("all others are to be avoided, too", Steer(l.Snapshot(), *r, Choice{Node: target}, p, epoch))
}
