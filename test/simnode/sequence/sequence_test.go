// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package sequence

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestWhatIsSavedLoadsAgain(t *testing.T) {
	s := Sequence{
		Name: "one", About: "something",
		Settings: Settings{DiskMiB: 512, EvictionHard: map[string]string{"imagefs.available": "15%"}},
		Images:   map[string]int64{"a": 10},
		Steps:    []Step{{Run: "p", Image: "a", PullFails: true}, {Wait: metav1.Duration{Duration: time.Minute}}, {Await: NoPressure}, {Restart: true}},
		Recorded: &Recorded{Kubelet: "v1", Outcome: Outcome{EvictedPods: []string{"p"}, AvailableBytes: 1}},
	}
	dir := t.TempDir()
	if err := s.Save(dir); err != nil {
		t.Fatal(err)
	}
	got, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]Sequence{s}, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("(-saved +loaded):\n%s", diff)
	}
}

func TestMistakesInAFileAreNamed(t *testing.T) {
	for sentence, test := range map[string]struct{ steps, want string }{
		"an unknown field":         {`[{"runs": "p"}]`, `unknown field "runs"`},
		"a step that does two":     {`[{"run": "p", "image": "a"}, {"delete": "p", "release": true}]`, "steps[1]: 2 actions, want one"},
		"a step that does none":    {`[{"image": "a"}]`, "steps[0]: 0 actions, want one"},
		"an image nobody knows":    {`[{"run": "p", "image": "b"}]`, `steps[0]: image "b" is not in images`},
		"something not waited for": {`[{"await": "luck"}]`, `steps[0]: await "luck": want "pressure" or "no pressure"`},
	} {
		t.Run(sentence, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "x.json"), []byte(`{"images": {"a": 1}, "steps": `+test.steps+`}`), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := Load(dir); err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "x.json") {
				t.Errorf("got %v, want x.json and %q", err, test.want)
			}
		})
	}
}

func TestReplayNeedsARecording(t *testing.T) {
	if _, _, err := Replay(Sequence{Name: "fresh"}, Timing{}); err == nil || !strings.Contains(err.Error(), "fresh has not been recorded") {
		t.Errorf("got %v", err)
	}
}

func TestReplaySaysWhichStepNeverEnds(t *testing.T) {
	s := Sequence{
		Name: "endless", Settings: Settings{ImageGCHighThresholdPercent: 85, ImageGCLowThresholdPercent: 80, EvictionHard: map[string]string{"imagefs.available": "15%"}},
		Steps:    []Step{{Wait: metav1.Duration{Duration: time.Second}}, {Await: Pressure}},
		Recorded: &Recorded{Disk: Disk{CapacityBytes: 1000}},
	}
	if _, _, err := Replay(s, Timing{}); err == nil || !strings.Contains(err.Error(), "steps[1]: not within 3m0s: pressure") {
		t.Errorf("got %v", err)
	}
}
