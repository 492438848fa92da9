// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/headroom-dev/headroom/hack/bench/fleet"
)

func TestGatorReadsTheFleetTheRuleAndThePods(t *testing.T) {
	dir := t.TempDir()
	pods, err := Write(dir, fleet.Of(7, fleet.NearlyFull))
	if err != nil {
		t.Fatal(err)
	}
	objects, err := os.ReadFile(filepath.Join(dir, "objects.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	count := func(text string) int { return bytes.Count(objects, []byte(text)) }
	if count("\n"+`{"kind":"Node"`) != 7 || count("\n"+`{"kind":"Pod"`) != pods || count("---\n") != 7+pods || pods != 8 {
		t.Errorf("%d nodes, %d pods, %d documents, want 7, %d, %d", count("\n"+`{"kind":"Node"`), count("\n"+`{"kind":"Pod"`), count("---\n"), pods, 7+pods)
	}
	if _, err := os.Stat(filepath.Join(dir, "template.yaml")); err != nil {
		t.Error(err)
	}
}

func TestConstraintIsAboutPodsOrAboutNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "constraint.yaml")
	for aboutPods, want := range map[bool]string{true: "kinds: [Pod]", false: "kinds: [Nothing]"} {
		if err := WriteConstraint(path, aboutPods); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(text), want) {
			t.Errorf("about pods %v: no %q in\n%s", aboutPods, want, text)
		}
	}
}

func TestWhatGatorSays(t *testing.T) {
	for about, c := range map[string]struct {
		text string
		want int
		err  string
	}{
		"one run":   {`[{"engine": "rego", "totalReviews": 1008, "violationCount": 8}]`, 8, ""},
		"no run":    {`[]`, 0, "0 runs"},
		"no review": {`[{"totalReviews": 0}]`, 0, "want one with reviews"},
		"no JSON":   {`Error`, 0, "gator's output"},
	} {
		t.Run(about, func(t *testing.T) {
			got, err := Violations([]byte(c.text))
			if got != c.want || c.err == "" && err != nil || c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
				t.Errorf("got %d, %v, want %d, %q", got, err, c.want, c.err)
			}
		})
	}
}
