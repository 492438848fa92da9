// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fit

import (
	"fmt"
	"maps"
	"slices"

	"github.com/headroom-dev/headroom/policy"
)

// maxUnknownLabels is how many labels that mean nothing are named.
const maxUnknownLabels = 3

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
	for _, key := range unknown[:min(len(unknown), maxUnknownLabels)] {
		notes = append(notes, line(fmt.Sprintf("label %s is not known and does nothing: of a namespace's labels only %s is read", shown(key), policy.ModeLabel)))
	}
	if more := len(unknown) - maxUnknownLabels; more > 0 {
		notes = append(notes, line("not known either: "+counted(more, "more label")))
	}
	return notes
}
