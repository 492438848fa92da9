// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fit

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/headroom-dev/headroom/ledger"
	"github.com/headroom-dev/headroom/placement"
	"github.com/headroom-dev/headroom/policy"
)

// What is known of a pod comes from the ledger: the binding only names it.
func TestSteerByName(t *testing.T) {
	l := world(full("a"), roomy("b"))
	registry(t, l, map[string]int64{"app": 100})
	waiting := ledger.Pod{
		UID: "1", Namespace: "team", Name: "web", Placement: placement.Of(nil),
		Images: []ledger.PodImage{{Ref: ref(t, "app"), PullPolicy: corev1.PullIfNotPresent}},
	}
	critical := waiting
	critical.UID, critical.Name, critical.PriorityClass = "2", "critical", "system-node-critical"
	deleting := waiting
	deleting.UID, deleting.Name, deleting.Deleting = "3", "deleting", true
	for _, pod := range []ledger.Pod{waiting, critical, deleting} {
		l.SetPod(pod, epoch)
	}
	bind(l, "4", "b", epoch)
	e := Evaluator{Snapshot: l.Snapshot, Policy: enforcing, Clock: func() time.Time { return epoch }}
	for what, c := range map[string]struct {
		binding Binding
		want    Reason // "" for sent back
	}{
		"by UID":                      {Binding{Namespace: "team", Name: "web", UID: "1", Choice: Choice{Node: "a"}}, ""},
		"by name alone":               {Binding{Namespace: "team", Name: "web", Choice: Choice{Node: "a"}}, ""},
		"another pod of that name":    {Binding{Namespace: "team", Name: "web", UID: "9", Choice: Choice{Node: "a"}}, UnknownPod},
		"another name of that UID":    {Binding{Namespace: "team", Name: "other", UID: "1", Choice: Choice{Node: "a"}}, UnknownPod},
		"another namespace":           {Binding{Namespace: "other", Name: "web", Choice: Choice{Node: "a"}}, UnknownPod},
		"one that is being deleted":   {Binding{Namespace: "team", Name: "deleting", UID: "3", Choice: Choice{Node: "a"}}, UnknownPod},
		"one that is bound":           {Binding{Namespace: "team", Name: "4", UID: "4", Choice: Choice{Node: "a"}}, UnknownPod},
		"an exempt priority class":    {Binding{Namespace: "team", Name: "critical", UID: "2", Choice: Choice{Node: "a"}}, ExemptPod},
		"a namespace that opts out":   {Binding{Namespace: "team", Name: "web", UID: "1", Choice: Choice{Node: "a"}, NamespaceMode: "Warn"}, ""}, // Tighten does not let it.
		"a node that nobody knows of": {Binding{Namespace: "team", Name: "web", UID: "1", Choice: Choice{Node: "z"}}, UnknownNode},
		"a namespace that is exempt, of a pod that is not known": {Binding{Namespace: "kube-system", Name: "x", Choice: Choice{Node: "a"}}, ExemptPod},
	} {
		t.Run(what, func(t *testing.T) {
			if d := e.Steer(c.binding); d.Reason != c.want || d.SendBack != (c.want == "") {
				t.Errorf("sent back %v, reason %q, want %q", d.SendBack, d.Reason, c.want)
			}
		})
	}
	if d := (Evaluator{}).Steer(Binding{Choice: Choice{Node: "a"}}); d.SendBack || d.Reason != ModeOff {
		t.Errorf("without anything: sent back %v, %s", d.SendBack, d.Reason)
	}
	e.Snapshot = ledger.New().Snapshot
	if d := e.Steer(Binding{Namespace: "team", Name: "web", Choice: Choice{Node: "a"}}); d.SendBack || d.Reason != NotSynced {
		t.Errorf("not synced: sent back %v, %s", d.SendBack, d.Reason)
	}
}

// Where steering is off, the policy alone says so: no ledger is asked.
func TestUnsteered(t *testing.T) {
	for what, c := range map[string]struct {
		change  func(*policy.Policy)
		label   string
		mode    policy.Mode
		steered bool
	}{
		"Auto, Enforce":                        {func(*policy.Policy) {}, "", policy.Enforce, true},
		"Auto, Warn":                           {mode(policy.Warn), "", policy.Warn, false},
		"Auto, Warn, the namespace enforces":   {mode(policy.Warn), "Enforce", policy.Enforce, true},
		"Auto, Enforce, a label of no meaning": {func(*policy.Policy) {}, "x", policy.Enforce, true},
		"On, Audit":                            {func(p *policy.Policy) { p.Steer, p.Mode = policy.SteerOn, policy.Audit }, "", policy.Audit, true},
		"On, Off":                              {func(p *policy.Policy) { p.Steer, p.Mode = policy.SteerOn, policy.Off }, "", policy.Off, false},
		"Off, Enforce":                         {func(p *policy.Policy) { p.Steer = policy.SteerOff }, "", policy.Enforce, false},
	} {
		t.Run(what, func(t *testing.T) {
			p := enforcing()
			c.change(p)
			e := Evaluator{Policy: func() *policy.Policy { return p }}
			b := Binding{Namespace: "team", Name: "web", UID: "1", NamespaceMode: c.label}
			d, unsteered := e.Unsteered(b)
			if unsteered == c.steered || d.Mode != c.mode || unsteered && (d.Reason != ModeOff || d.SendBack || d.Pod != "1") {
				t.Errorf("unsteered %v: %+v", unsteered, d)
			}
			// Steer says the same, as far as it gets without a ledger.
			if slow := e.Steer(b); (slow.Reason == ModeOff) != unsteered || slow.Mode != d.Mode || slow.ModeIgnored != d.ModeIgnored {
				t.Errorf("Steer says %+v", slow)
			}
		})
	}
	if d, unsteered := (Evaluator{}).Unsteered(Binding{}); !unsteered || d.Mode != policy.Audit {
		t.Errorf("without a policy: %v %+v", unsteered, d)
	}
}
