// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fit

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/headroom-dev/headroom/policy"
)

const (
	tooMuch  = "image storage: needs 7Gi on a node; none of 2 eligible nodes can hold that before pods are evicted (at best 6.5Gi)"
	tooMuch2 = "image storage: needs 20Gi on a node; none of 2 eligible nodes can hold that even on an empty disk (at best 8.5Gi)"
)

func change(kind, namespace, name string, pods int, action Action, message string) Change {
	return Change{Kind: kind, Namespace: namespace, Name: name, Pods: pods, Action: action, Message: message}
}

// TestWhatIfSentences writes what is said about changes to testdata/whatif.txt.
func TestWhatIfSentences(t *testing.T) {
	many := func(action Action, n, pods int) []Change {
		var all []Change
		for i := range n {
			all = append(all, change("Deployment", "team-a", fmt.Sprintf("%s-%02d", strings.ToLower(string(action)), i), pods+i, action, fmt.Sprintf("image storage: reason %d", i)))
		}
		return all
	}
	long := strings.Repeat("long-name-", 40)
	var out strings.Builder
	for _, c := range []struct {
		about string
		found WhatIf
	}{
		{"no workload", WhatIf{Namespace: "team-a"}},
		{"nothing gets stricter", WhatIf{Namespace: "team-a", Looked: 41, Total: 41}},
		{"nothing, one workload", WhatIf{Looked: 1, Total: 1}},
		{"nothing, and time was up", WhatIf{Looked: 12, Total: 41, Ended: TimeUp}},
		{"time was up before the first", WhatIf{Total: 41, Ended: TimeUp}},
		{"some run on every node that they can", WhatIf{Looked: 38, Total: 41, NoOtherNode: 3}},
		{"all run on every node that they can", WhatIf{Namespace: "team-a", Total: 2, NoOtherNode: 2}},
		{"some do, and time was up", WhatIf{Looked: 12, Total: 41, NoOtherNode: 3, Ended: TimeUp}},
		{"before the first lists", WhatIf{Total: 41, Ended: NotRead}},
		{"a mistake in the code that decides", WhatIf{Looked: 40, Total: 41, Ended: BrokeDown}},
		{"two changes at once", WhatIf{Ended: OtherLook}},
		{"a long name, and all that there is to say", WhatIf{Namespace: strings.Repeat("n", 63), Looked: 30_000, Total: 41_000, NoOtherNode: 1_000, Ended: TimeUp}},
		{"one refused", WhatIf{Namespace: "team-a", Looked: 3, Total: 3, Stricter: []Change{change("Deployment", "team-a", "web", 12, Deny, tooMuch)}}},
		{"one pod that nothing controls", WhatIf{Looked: 1, Total: 1, Stricter: []Change{change("Pod", "team-a", "web", 1, Warn, tooMuch)}}},
		{"the same of several, and time was up", WhatIf{Looked: 30, Total: 41, Ended: TimeUp, Stricter: []Change{
			change("StatefulSet", "team-b", "db", 1, Deny, tooMuch), change("Deployment", "team-a", "web", 12, Deny, tooMuch),
			change("Job", "team-a", "train", 4, Deny, tooMuch),
		}}},
		{"one other", WhatIf{Looked: 2, Total: 2, Stricter: []Change{
			change("Deployment", "team-a", "web", 12, Warn, tooMuch), change("Pod", "team-a", "x", 1, Warn, tooMuch),
		}}},
		{"a rollout is one workload", WhatIf{Looked: 2, Total: 2, Stricter: []Change{
			change("Deployment", "team-a", "web", 12, Deny, tooMuch), change("Deployment", "team-a", "web", 3, Deny, tooMuch),
		}}},
		{"refusals come first, and then what concerns most pods", WhatIf{Looked: 4, Total: 4, Stricter: []Change{
			change("Deployment", "team-a", "warned", 900, Warn, tooMuch), change("Deployment", "team-a", "few", 1, Deny, tooMuch),
			change("Deployment", "team-a", "many", 2, Deny, tooMuch2),
		}}},
		{"more than there are lines for", WhatIf{Looked: 50, Total: 50, Stricter: append(many(Deny, 9, 10), many(Warn, 5, 100)...)}},
		{"more warnings than there are lines for", WhatIf{Looked: 50, Total: 50, Stricter: many(Warn, 8, 1)}},
		{"names that do harm", WhatIf{Namespace: long, Looked: 1, Total: 1, Stricter: []Change{change("K\x1b[31m", "n\n", long, 1, Deny, "image storage: "+long)}}},
	} {
		fmt.Fprintf(&out, "# %s\n", c.about)
		total := 0
		lines := c.found.Lines()
		for _, l := range lines {
			if n := utf8.RuneCountInString(l); n > maxRunes {
				t.Errorf("%s: a line of %d runes", c.about, n)
			}
			total += utf8.RuneCountInString(l)
			out.WriteString(l + "\n")
		}
		// Beyond 4096 runes the API server cuts; some are left for what else is to be said.
		if total > 3000 || len(lines) > maxGroups+2 {
			t.Errorf("%s: %d lines of %d runes", c.about, len(lines), total)
		}
	}
	golden(t, "whatif.txt", out.String())
}

func TestStricterActions(t *testing.T) {
	order := []Action{Allow, Warn, Deny}
	for i, a := range order {
		for j, b := range order {
			if got := a.StricterThan(b); got != (i > j) {
				t.Errorf("%s stricter than %s: %v", a, b, got)
			}
		}
	}
}

// TestLabelNotes writes what is said about labels of namespaces to testdata/labels.txt.
func TestLabelNotes(t *testing.T) {
	with := func(mode policy.Mode, overrides policy.Overrides) *policy.Policy {
		p := policy.Default()
		p.Mode, p.NamespaceOverrides = mode, overrides
		return p
	}
	var out strings.Builder
	for _, c := range []struct {
		about  string
		policy *policy.Policy
		exempt bool
		labels map[string]string
	}{
		{"followed", policy.Default(), false, map[string]string{policy.ModeLabel: "Enforce"}},
		{"followed, in another case", policy.Default(), false, map[string]string{policy.ModeLabel: "enforce"}},
		{"milder than the policy", with(policy.Enforce, policy.OverridesTighten), false, map[string]string{policy.ModeLabel: "Audit"}},
		{"no label is followed", with(policy.Warn, policy.OverridesNone), false, map[string]string{policy.ModeLabel: "Enforce"}},
		{"the policy is off", with(policy.Off, policy.OverridesAny), false, map[string]string{policy.ModeLabel: "Enforce"}},
		{"an exempt namespace", policy.Default(), true, map[string]string{policy.ModeLabel: "Enforce"}},
		{"a misspelt label", policy.Default(), false, map[string]string{"headroom.dev/mod": "Enforce"}},
		{"many", policy.Default(), false, map[string]string{
			"headroom.dev/a": "", "headroom.dev/b": "", "headroom.dev/c": "", "headroom.dev/d": "", policy.ModeLabel: "Warn",
		}},
	} {
		fmt.Fprintf(&out, "# %s\n", c.about)
		for _, note := range LabelNotes(c.policy, "team-a", c.exempt, c.labels) {
			out.WriteString(note + "\n")
		}
	}
	golden(t, "labels.txt", out.String())
}
