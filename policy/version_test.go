// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// fromAnyText compares what policies say.
var fromAnyText = cmpopts.IgnoreFields(Policy{}, "Version")

// TestVersions: equal texts have equal versions, others have others, and what nobody wrote has a name.
func TestVersions(t *testing.T) {
	const text = "apiVersion: headroom.dev/v1alpha1\nkind: Policy\nmode: Enforce\n"
	load := func(text string) *Policy {
		t.Helper()
		p, _, err := Load([]byte(text), true)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	policies := []*Policy{Default(), Fallback(), load(""), load(text), load(text + "steer: Off\n"), load(text + "# no more\n")}
	seen := map[string]bool{}
	for i, p := range policies {
		if seen[p.Version] || i > 1 && len(p.Version) != 12 {
			t.Errorf("policy %d has version %q", i, p.Version)
		}
		seen[p.Version] = true
	}
	if a, b := load(text), load(text); a.Version != b.Version {
		t.Errorf("versions %q and %q of one text", a.Version, b.Version)
	}
	if !seen["defaults"] || !seen["fallback"] {
		t.Errorf("versions %v: without a text it is neither defaults nor fallback", seen)
	}
	for i, want := range []bool{false, false, false, true, false, true} {
		if got := Same(policies[3], policies[i]); got != want {
			t.Errorf("policy %d decides alike: %v, want %v", i, got, want)
		}
	}
	if diff := cmp.Diff(policies[3], load(text)); diff != "" {
		t.Errorf("comparing has changed it:\n%s", diff)
	}
}
