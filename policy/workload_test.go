// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package policy

import "testing"

func TestWorkloadOf(t *testing.T) {
	p, _, err := Load([]byte(head+"workloads:\n- {apiVersion: argoproj.io/v1alpha1, kind: Rollout, resource: rollouts}\n"), true)
	if err != nil {
		t.Fatal(err)
	}
	if w := p.WorkloadOf("argoproj.io", "v1alpha1", "Rollout"); w == nil || w.Resource != "rollouts" || w.APIVersion() != "argoproj.io/v1alpha1" {
		t.Errorf("got %+v", w)
	}
	for name, w := range map[string]*WorkloadKind{
		"another group":   p.WorkloadOf("example.com", "v1alpha1", "Rollout"),
		"another version": p.WorkloadOf("argoproj.io", "v1", "Rollout"),
		"another kind":    p.WorkloadOf("argoproj.io", "v1alpha1", "Workflow"),
	} {
		if w != nil {
			t.Errorf("%s: %+v", name, w)
		}
	}
}
