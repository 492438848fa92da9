// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package process

import (
	"strings"
	"testing"
	"time"
)

func TestChildSaysSomethingAndEnds(t *testing.T) {
	child, err := Start(t.Context(), Command{Path: "/bin/sh", Args: []string{"-c", `echo '{"answer": 42}'; read line`}})
	if err != nil {
		t.Fatal(err)
	}
	var said struct{ Answer int }
	if err := child.ReadJSON(&said); err != nil || said.Answer != 42 {
		t.Errorf("it says %+v, %v", said, err)
	}
	if _, err := CPU(child.PID()); err != nil {
		t.Error(err)
	}
	child.Stop()
	if _, err := CPU(child.PID()); err == nil {
		t.Error("it still runs")
	}
}

func TestChildIsToldLineByLine(t *testing.T) {
	child, err := Start(t.Context(), Command{Path: "/bin/sh", Args: []string{"-c", `while read line; do echo "got $line"; done`}})
	if err != nil {
		t.Fatal(err)
	}
	defer child.Stop()
	for _, line := range []string{"one", "two"} {
		if err := child.Say(line); err != nil {
			t.Fatal(err)
		}
		if got, err := child.ReadLine(); err != nil || string(got) != "got "+line+"\n" {
			t.Errorf("told %q, it says %q, %v", line, got, err)
		}
	}
}

func TestChildThatListensEndsWhenNothingMoreIsSaid(t *testing.T) {
	child, err := Start(t.Context(), Command{Path: "/bin/sh", Args: []string{"-c", `trap "" TERM; echo ready; while read line; do :; done`}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := child.ReadLine(); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	child.Stop()
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("it took %s to end", took)
	}
}

func TestChildIsKeptOnItsProcessors(t *testing.T) {
	child, err := Start(t.Context(), Command{Path: "/bin/sh", Args: []string{"-c", "grep Cpus_allowed_list /proc/self/status"}, Cores: []int{0}})
	if err != nil {
		t.Fatal(err)
	}
	line, err := child.ReadLine()
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Fields(string(line)); len(got) != 2 || got[1] != "0" {
		t.Errorf("it may run on %q, want processor 0 alone", line)
	}
	if err := child.Wait(); err != nil {
		t.Error(err)
	}
}

func TestErrorOfAChildHasItsComplaints(t *testing.T) {
	child, err := Start(t.Context(), Command{Path: "/bin/sh", Args: []string{"-c", "echo 'no such fleet' >&2; exit 3"}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = child.ReadLine()
	if err == nil || !strings.Contains(err.Error(), "no such fleet") || !strings.Contains(err.Error(), "exit status 3") {
		t.Errorf("error %v, want one with its exit status and what it has written", err)
	}
}

func TestOnlyTheEndOfLongComplaintsIsKept(t *testing.T) {
	var kept tail
	for range 3 {
		if _, err := kept.Write([]byte(strings.Repeat("a", keptComplaints))); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := kept.Write([]byte("the end")); err != nil {
		t.Fatal(err)
	}
	if got := kept.String(); len(got) != keptComplaints || !strings.HasSuffix(got, "the end") {
		t.Errorf("%d bytes are kept", len(got))
	}
}
