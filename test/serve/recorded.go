// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package serve

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// answersCounted is how many answers of each kind a process has counted by itself, or recorded.
type answersCounted struct{ Refused, Warned, SentBack, RefusedSettings int }

// answersCounted are those of its metrics; none where it shows no metrics.
func (p *Process) answersCounted() answersCounted {
	families, err := p.families()
	if err != nil {
		return answersCounted{}
	}
	count := func(name, label string) int { return int(sumOf(families[name], []string{label})) }
	return answersCounted{
		Refused:         count("headroom_admission_decisions_total", "action=Deny"),
		Warned:          count("headroom_admission_decisions_total", "action=Warn"),
		SentBack:        count("headroom_steering_bindings_total", "outcome=sent-back"),
		RefusedSettings: count("headroom_admission_settings_total", "answer=refused"),
	}
}

// checkAllRecorded fails unless what the process has counted is recorded: what is not there can't be replayed. More may be, as
// it answers until it ends.
func (p *Process) checkAllRecorded(t testing.TB, files []string) {
	t.Helper()
	var recorded answersCounted
	for _, file := range files {
		request, response := readRecording(t, file)
		switch action := response.AuditAnnotations["action"]; {
		case action == "Deny" && isSetting(request.Resource.Resource):
			recorded.RefusedSettings++
		case action == "Deny":
			recorded.Refused++
		case action == "Warn":
			recorded.Warned++
		case action == "SendBack":
			recorded.SentBack++
		}
	}
	atLeast := answersCounted{
		Refused: min(recorded.Refused, p.counted.Refused), Warned: min(recorded.Warned, p.counted.Warned),
		SentBack: min(recorded.SentBack, p.counted.SentBack), RefusedSettings: min(recorded.RefusedSettings, p.counted.RefusedSettings),
	}
	if diff := cmp.Diff(p.counted, atLeast); diff != "" {
		t.Errorf("some answers are not recorded, so that headroom check can't be asked for them (-counted +recorded):\n%s", diff)
	}
}

func isSetting(resource string) bool { return resource == "configmaps" || resource == "namespaces" }
