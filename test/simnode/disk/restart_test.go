// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package disk

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestARestartedKubeletKnowsImagesAnew(t *testing.T) {
	cfg := testConfig(t)
	n := newNode(t, cfg)
	if _, err := n.PullImage(at(1), "a"); err != nil {
		t.Fatal(err)
	}
	n.Advance(at(301)) // detected at 300 s, old enough from 420 s on
	n.RestartKubelet(at(400))
	n.SetOtherUsedBytes(at(425), 600*mb)
	events := n.Advance(at(600))
	// Detected at the restart, so old enough at 520 s. The eviction manager began
	// anew, too: it runs at 400 s and every 10 s.
	want := []string{"7m10s PressureOn", "8m40s ImageDeleted  docker.io/library/a:latest"}
	if diff := cmp.Diff(want, decisions(events)); diff != "" {
		t.Errorf("decisions (-want +got):\n%s", diff)
	}
}

func TestAKubeletRestartLeavesContainersAndPullsAgain(t *testing.T) {
	n := newNode(t, testConfig(t))
	n.AddPod(t0, podOf("p1", "a"))
	n.AddPod(at(31), podOf("p2", "b"))
	events := n.RestartKubelet(at(40))
	events = append(events, n.Advance(at(90))...)
	if diff := cmp.Diff([]string{"1m10s Pulled p2 b"}, decisions(events)); diff != "" {
		t.Errorf("decisions (-want +got):\n%s", diff)
	}
	for _, id := range []string{"p1", "p2"} {
		if state, _ := n.Pod(id); state.Phase != Running {
			t.Errorf("%s is %s, want Running", id, state.Phase)
		}
	}
	if started, _ := n.Pod("p1"); !started.Containers[0].StartedAt.Equal(at(30)) {
		t.Errorf("p1 started at %v, want 30 s: a restart leaves it alone", started.Containers[0].StartedAt.Sub(t0))
	}
}

func TestTheFirstCollectionFindsNoStatistics(t *testing.T) {
	cfg := testConfig(t)
	cfg.Thresholds, cfg.ImageMinimumGCAge = nil, time.Nanosecond
	cfg.OtherUsedBytes, cfg.PreloadedImages = 600*mb, []string{"a"}
	n := newNode(t, cfg)
	events := n.Advance(at(301))
	if diff := cmp.Diff([]string{"5m0s ImageDeleted  docker.io/library/a:latest"}, decisions(events)); diff != "" {
		t.Errorf("decisions (-want +got):\n%s", diff)
	}
}
