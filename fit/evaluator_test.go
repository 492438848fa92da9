// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fit

import (
	"testing"
	"time"

	"github.com/headroom-dev/headroom/policy"
)

// TestThePolicyThatWasDecidedBy: an answer names the policy behind it, also where another one is in force by then.
func TestThePolicyThatWasDecidedBy(t *testing.T) {
	l := world(available(0)...)
	registry(t, l, map[string]int64{"app": 100})
	p := policy.Default()
	e := Evaluator{Snapshot: l.Snapshot, Clock: func() time.Time { return epoch }, Policy: func() *policy.Policy {
		was := p
		p = policy.Fallback()
		p.Version = "later"
		return was
	}}
	if d := e.Evaluate(RequestOf(podOf("app"))); d.Action != Warn || d.PolicyVersion != "defaults" {
		t.Errorf("%s by %q, want a warning by the defaults", d.Action, d.PolicyVersion)
	}
	binding := Binding{Choice: Choice{Node: "a"}}
	for what, version := range map[string]func() string{
		"a decision that looks at nothing": func() string { return e.Evaluate(RequestOf(podOf())).PolicyVersion },
		"a binding":                        func() string { return e.Steer(binding).PolicyVersion },
		"a binding that nobody steers":     func() string { d, _ := e.Unsteered(binding); return d.PolicyVersion },
		"a policy of one's own":            func() string { return e.Freeze()(RequestOf(podOf("app")), e.policy()).PolicyVersion },
	} {
		if got := version(); got != "later" {
			t.Errorf("%s: by %q, want later", what, got)
		}
	}
	if d := (Evaluator{}).Evaluate(RequestOf(podOf("app"))); d.PolicyVersion != "fallback" {
		t.Errorf("without a policy: by %q", d.PolicyVersion)
	}
}
