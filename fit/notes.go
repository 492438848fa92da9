// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fit

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/headroom-dev/headroom/policy"
)

// maxNotes is how many notes of one kind there are. What a change would do has to find room beside them.
const maxNotes = 3

// LabelNotes returns what whoever gives a namespace these labels of Headroom's should know, one sentence each: which of them
// do nothing, and why. exempt says that pods of the namespace are never judged. A value that is no mode is not for here, see
// policy.CheckModeLabel.
func LabelNotes(p *policy.Policy, namespace string, exempt bool, labels map[string]string) []string {
	var notes []string
	if value := labels[policy.ModeLabel]; value != "" {
		_, ignored := p.ModeFor(value)
		switch {
		case exempt:
			notes = append(notes, line(fmt.Sprintf("label %s does nothing: pods of namespace %s are never judged", policy.ModeLabel, shown(namespace))))
		case p.Mode == policy.Off:
			notes = append(notes, line(fmt.Sprintf("label %s does nothing: the policy's mode is Off", policy.ModeLabel)))
		case ignored != nil:
			notes = append(notes, line(ignored.Error()))
		}
	}
	unknown := slices.DeleteFunc(slices.Sorted(maps.Keys(labels)), func(key string) bool { return key == policy.ModeLabel })
	for _, key := range unknown[:min(len(unknown), maxNotes)] {
		notes = append(notes, line(fmt.Sprintf("label %s is not known and does nothing: of a namespace's labels only %s is read", shown(key), policy.ModeLabel)))
	}
	if more := len(unknown) - maxNotes; more > 0 {
		notes = append(notes, line("not known either: "+counted(more, "more label")))
	}
	return notes
}

// PolicyNotes returns what whoever sets a valid policy should know about it at this time, one sentence each.
func PolicyNotes(p *policy.Policy, now time.Time) []string {
	all := p.Notes(now)
	notes := make([]string, 0, maxNotes+1)
	for _, note := range all[:min(len(all), maxNotes)] {
		notes = append(notes, line(note))
	}
	if more := len(all) - maxNotes; more > 0 {
		notes = append(notes, line("not shown: "+counted(more, "more note")+" about the policy"))
	}
	return notes
}

// NoPolicyNote is for whoever deletes the policy.
func NoPolicyNote(defaults *policy.Policy) string {
	return line(fmt.Sprintf("without the ConfigMap %s the defaults are in force, mode %s", policy.ConfigMapName, defaults.Mode))
}

// StillInvalidNote is for whoever changes something else about a policy that was not valid before either.
func StillInvalidNote(err error) string { return line("the policy is still not valid: " + err.Error()) }
