// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package serve

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// answers is how many answers of each kind a process has counted by itself, or recorded.
type answers struct{ Refused, Warned, SentBack, RefusedSettings int }

// answersCounted are those that a process counts in its metrics; none where it shows none.
func answersCounted(metricsURL string) answers {
	families, err := familiesAt(metricsURL)
	if err != nil {
		return answers{}
	}
	count := func(name, label string) int { return int(sumOf(families[name], []string{label})) }
	return answers{
		Refused:         count("headroom_admission_decisions_total", "action=Deny"),
		Warned:          count("headroom_admission_decisions_total", "action=Warn"),
		SentBack:        count("headroom_steering_bindings_total", "outcome=sent-back"),
		RefusedSettings: count("headroom_admission_settings_total", "answer=refused"),
	}
}

// checkAllRecorded fails unless what was counted is recorded: what is not there can't be replayed. More may be, as a process
// answers until it ends.
func checkAllRecorded(t testing.TB, counted answers, files []string) {
	t.Helper()
	recorded, err := answersRecorded(files)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(counted, counted.atMost(recorded)); diff != "" {
		t.Errorf("some answers are not recorded, so that headroom check can't be asked for them (-counted +recorded):\n%s", diff)
	}
}

// answersRecorded are those of these recordings.
func answersRecorded(files []string) (recorded answers, err error) {
	for _, file := range files {
		request, response, err := readRecording(file)
		if err != nil {
			return answers{}, err
		}
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
	return recorded, nil
}

// atMost is each of a, or of b where that is less.
func (a answers) atMost(b answers) answers {
	return answers{
		Refused: min(a.Refused, b.Refused), Warned: min(a.Warned, b.Warned),
		SentBack: min(a.SentBack, b.SentBack), RefusedSettings: min(a.RefusedSettings, b.RefusedSettings),
	}
}

// awaitRecorded waits for a while until all that was counted is recorded.
func awaitRecorded(counted answers, folder string, atMost time.Duration) {
	for deadline := time.Now().Add(atMost); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		files, _ := recordingsIn(folder)        // the folder's name is no bad pattern
		recorded, err := answersRecorded(files) // one that is not read may not be whole yet
		if err == nil && counted.atMost(recorded) == counted {
			return
		}
	}
}

func recordingsIn(folder string) ([]string, error) {
	return filepath.Glob(filepath.Join(folder, "*.json"))
}

func isSetting(resource string) bool { return resource == "configmaps" || resource == "namespaces" }
