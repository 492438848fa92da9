// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestAttachedProgram(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c := &ControlPlane{Dir: dir, state: &stateFile{path: filepath.Join(dir, "state.json")}}
	shell := func(script string) Attached {
		return Attached{Name: "speaker", Command: []string{"/bin/sh", "-c", script}, ReadyText: "I am ready", Timeout: 10 * time.Second}
	}

	if err := c.Run(t.Context(), shell("echo I am ready; exec sleep 60")); err != nil {
		t.Fatal(err)
	}
	processes := c.State().Processes
	if len(processes) != 1 || processes[0].Name != "speaker" || !processes[0].Alive() {
		t.Fatalf("written down: %+v, want one live process called speaker", processes)
	}
	if err := c.Run(t.Context(), shell("echo I am ready; exec sleep 60")); err == nil || !strings.Contains(err.Error(), "runs already") {
		t.Errorf("a second program of the same name: error %v, want that one runs already", err)
	}
	for range 2 { // ending what has ended is fine
		if err := c.End("speaker"); err != nil {
			t.Fatal(err)
		}
	}
	if processes[0].Alive() {
		t.Error("the program runs although End has returned")
	}

	err := c.Run(t.Context(), shell("echo no disk left; exit 3"))
	if err == nil || !strings.Contains(err.Error(), "no disk left") {
		t.Errorf("a program that ends at once: error %v, want its last words", err)
	}
	hasty := shell("exec sleep 60")
	hasty.Timeout = 100 * time.Millisecond
	if err := c.Run(t.Context(), hasty); err == nil || !strings.Contains(err.Error(), "not ready after 100ms") {
		t.Errorf("a program that does not get ready: error %v, want that it is not ready", err)
	}
	for _, p := range c.State().Processes {
		if p.Alive() {
			t.Errorf("process %d still runs", p.PID)
		}
	}
}
