// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fit

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// WhatIf is what was found out about a change of the policy, or of a namespace's label, before it is made: what would become
// of the pods that run if each were created again, on a node that has none of its workload.
type WhatIf struct {
	// Namespace is the one that was looked at; "" for all.
	Namespace string
	// Looked is at how many workloads was looked, of Total. NoOtherNode counts those of the others that no node but their own
	// could take: what would become of them nobody knows.
	Looked, Total, NoOtherNode int
	// Ended is why not all the rest was looked at, "" where it was.
	Ended Ending
	// Stricter are those whose pods would be treated more strictly than without the change.
	Stricter []Change
}

// Ending is what kept a look from going on, in words.
type Ending string

// The endings.
const (
	TimeUp    Ending = "then time was up"
	NotRead   Ending = "the cluster's nodes and pods have not all been read yet"
	BrokeDown Ending = "then it broke down, Headroom's log says where"
	OtherLook Ending = "another change is just being looked at" // Total is not known then
)

// Change is what would become of the pods of a workload that runs.
type Change struct {
	// Kind is the API's word, such as Deployment.
	Kind, Namespace, Name string
	// Pods is how many run.
	Pods int
	// Action is Warn or Deny, Message the sentence that comes with it.
	Action  Action
	Message string
}

// StricterThan reports whether a does more about a pod than b.
func (a Action) StricterThan(b Action) bool { return a.strictness() > b.strictness() }

func (a Action) strictness() int { return slices.Index([]Action{Allow, Warn, Deny}, a) }

// maxGroups is for how many sentences there is a line. With two more lines, for the rest and for how far it was looked, and
// some about other things, that is well below the 4096 runes at which the API server starts to cut warnings.
const maxGroups = 7

// Lines returns what to tell whoever makes the change, none where there is nothing that could change.
func (w WhatIf) Lines() []string {
	switch {
	case w.Ended == OtherLook:
		return []string{line("not looked at what this would change: " + string(w.Ended))}
	case w.Total == 0:
		return nil
	}
	groups := grouped(w.Stricter)
	shownGroups := groups[:min(len(groups), maxGroups)]
	lines := make([]string, 0, len(shownGroups)+2)
	for _, g := range shownGroups {
		lines = append(lines, g.line())
	}
	if rest := groups[len(shownGroups):]; len(rest) > 0 {
		lines = append(lines, restLine(rest))
	}
	return append(lines, w.scopeLine())
}

// scopeLine says at what was looked, and how.
func (w WhatIf) scopeLine() string {
	scope := "in the cluster"
	if w.Namespace != "" {
		scope = "in namespace " + shown(w.Namespace)
	}
	said := fmt.Sprintf("looked at %d of %d workloads %s as if created again on another node", w.Looked, w.Total, scope)
	if len(w.Stricter) == 0 && w.Looked > 0 {
		said += ": none of them would newly be refused or warned about"
	}
	var rest string
	if w.NoOtherNode > 0 {
		rest += fmt.Sprintf("; for %d there is no other node", w.NoOtherNode)
	}
	if w.Ended != "" {
		rest += "; " + string(w.Ended)
	}
	return sentences{}.and(line(said), rest)
}

// group is the workloads of which the same is to be said.
type group struct {
	action  Action
	message string
	// changes come in the order of their pods, the most first.
	changes []Change
	pods    int
}

// grouped sorts by what is to be said: refusals first, and what concerns most pods.
func grouped(changes []Change) []group {
	type key struct {
		action  Action
		message string
	}
	var groups []group
	index := map[key]int{}
	for _, c := range merged(changes) {
		i, found := index[key{c.Action, c.Message}]
		if !found {
			i = len(groups)
			index[key{c.Action, c.Message}] = i
			groups = append(groups, group{action: c.Action, message: c.Message})
		}
		groups[i].changes = append(groups[i].changes, c)
		groups[i].pods += c.Pods
	}
	slices.SortStableFunc(groups, func(a, b group) int {
		return cmp.Or(cmp.Compare(b.action.strictness(), a.action.strictness()), cmp.Compare(b.pods, a.pods))
	})
	return groups
}

// merged makes one of the templates of a workload of which the same is to be said, as of two during a rollout, and sorts by
// the number of pods.
func merged(changes []Change) []Change {
	sum := make(map[Change]int, len(changes))
	for _, c := range changes {
		pods := c.Pods
		c.Pods = 0
		sum[c] += pods
	}
	all := make([]Change, 0, len(sum))
	for c, pods := range sum {
		c.Pods = pods
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b Change) int {
		return cmp.Or(cmp.Compare(b.Pods, a.Pods), strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Name, b.Name),
			strings.Compare(a.Kind, b.Kind), strings.Compare(a.Message, b.Message))
	})
	return all
}

func (g group) line() string {
	first := g.changes[0]
	who := fmt.Sprintf("%s %s/%s", shown(strings.ToLower(first.Kind)), shown(first.Namespace), shown(first.Name))
	if first.Kind != "Pod" {
		who += " (" + counted(first.Pods, "pod") + ")"
	}
	if others := len(g.changes) - 1; others > 0 {
		who += fmt.Sprintf(" and %s (%s)", counted(others, "other workload"), counted(g.pods-first.Pods, "pod"))
	}
	return line(who + " would be " + g.action.done() + ": " + strings.TrimPrefix(g.message, topic))
}

// restLine is for the groups that no line of their own is left for.
func restLine(rest []group) string {
	var parts []string
	for _, action := range []Action{Deny, Warn} {
		workloads, pods := 0, 0
		for _, g := range rest {
			if g.action == action {
				workloads += len(g.changes)
				pods += g.pods
			}
		}
		if workloads > 0 {
			parts = append(parts, fmt.Sprintf("%s (%s) would be %s", counted(workloads, "more workload"), counted(pods, "pod"), action.done()))
		}
	}
	return line(strings.Join(parts, "; "))
}

// done is what becomes of a pod, for the two actions that a change can bring.
func (a Action) done() string {
	if a == Deny {
		return "refused"
	}
	return "warned about"
}

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
