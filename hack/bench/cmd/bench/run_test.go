// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/headroom-dev/headroom/hack/bench/measure"
	"github.com/headroom-dev/headroom/hack/bench/result"
)

// measured is a file that has results of every part, and what is in it.
func measured(t *testing.T) (path string, all *result.Results) {
	t.Helper()
	text, err := os.ReadFile("../../result/testdata/results.json")
	if err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(t.TempDir(), "results.json")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path, read(t, path)
}

func read(t *testing.T, path string) *result.Results {
	t.Helper()
	r, err := result.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestPartsThatAreNotMeasuredStayAsTheyWere(t *testing.T) {
	path, want := measured(t)
	var asked []string
	o := &runOptions{rounds: 1, results: path, measure: func(_ context.Context, name string, _ measure.Part, r *result.Results) error {
		asked = append(asked, name)
		switch name {
		case "decisions":
			return replace(&r.Decisions)(&result.Decisions{Run: result.Run{Version: "new"}}, nil)
		default:
			return replace(&r.Engines)(&result.Engines{}, errors.New("no gator"))
		}
	}}
	var out bytes.Buffer
	err := o.run(t.Context(), []string{"engines", "decisions"}, &out)
	if err == nil || !strings.Contains(err.Error(), "engines: no gator") {
		t.Errorf("error %v, want one of the part that failed", err)
	}
	want.Decisions = &result.Decisions{Run: result.Run{Version: "new"}}
	if diff := cmp.Diff(want, read(t, path)); diff != "" {
		t.Errorf("the file (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"engines", "decisions"}, asked); diff != "" {
		t.Errorf("parts that were measured (-want +got):\n%s", diff)
	}
	if !strings.Contains(out.String(), "P1") {
		t.Errorf("no table is printed:\n%s", out.String())
	}
}

// A later part may take the machine down with it.
func TestWhatIsMeasuredIsWrittenAtOnce(t *testing.T) {
	path, _ := measured(t)
	o := &runOptions{rounds: 1, results: path, measure: func(_ context.Context, name string, _ measure.Part, r *result.Results) error {
		if name == "requests" {
			return replace(&r.Requests)(&result.Requests{Run: result.Run{Version: "new"}}, nil)
		}
		if got := read(t, path).Requests.Version; got != "new" {
			t.Errorf("while %s is measured, the file has requests of %q", name, got)
		}
		return nil
	}}
	if err := o.run(t.Context(), []string{"requests", "service"}, &bytes.Buffer{}); err != nil {
		t.Error(err)
	}
}

func TestUnknownPartIsAnError(t *testing.T) {
	command := newRunCommand()
	command.SetArgs([]string{"request"})
	command.SilenceErrors, command.SilenceUsage = true, true
	if err := command.Execute(); err == nil || !strings.Contains(err.Error(), "request") {
		t.Errorf("error %v", err)
	}
}
