// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"flag"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	schedulingv1 "k8s.io/api/scheduling/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/headroom-dev/headroom/test/simnode/sequence"
)

var update = flag.Bool("update", false, "write what real nodes do into the recorded sequences")

// recordedDir holds the sequences, which the simulated kubelet replays in the
// tests of test/simnode/disk.
const recordedDir = "../simnode/disk/testdata/recorded"

// lanes say which sequences run after each other on the same lane, so that no
// more than five nodes are there at once: the machine has a few loop devices.
// Those of the garbage collection wait for its five minutes.
var lanes = [][]string{
	{"gc-least-recently-used"},
	{"gc-all-in-use"},
	{"fits"},
	{"eviction-soft", "pull-no-space"},
	{"eviction-unused-images-suffice", "eviction-all-in-use", "eviction-images-too-young"},
}

// TestSequences holds real kubelets against what real kubelets did when the
// sequences were recorded: the same images deleted, the same pods evicted.
func TestSequences(t *testing.T) {
	all, err := sequence.Load(recordedDir)
	if err != nil {
		t.Fatal(err)
	}
	byName := map[string]sequence.Sequence{}
	for _, s := range all {
		byName[s.Name] = s
		if !slices.ContainsFunc(lanes, func(lane []string) bool { return slices.Contains(lane, s.Name) }) {
			t.Errorf("sequence %s is on no lane", s.Name)
		}
	}
	_, err = shared.client.SchedulingV1().PriorityClasses().Create(t.Context(), &schedulingv1.PriorityClass{
		ObjectMeta: metav1.ObjectMeta{Name: importantClass}, Value: 1000,
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	// Not t.Parallel: it would run as few at once as there are cores, and these wait.
	var running sync.WaitGroup
	for _, lane := range lanes {
		running.Go(func() {
			for _, name := range lane {
				t.Run(name, func(t *testing.T) { runSequence(t, byName[name]) })
			}
		})
	}
	running.Wait()
}

func runSequence(t *testing.T, s sequence.Sequence) {
	d := newDriver(t, s)
	for i, step := range s.Steps {
		t.Logf("%s: steps[%d]: %v", time.Now().Format(time.TimeOnly), i, step)
		d.do(step)
	}
	got := d.recorded()
	d.checkTimes()
	if *update {
		s.Recorded = got
		if err := s.Save(recordedDir); err != nil {
			t.Fatal(err)
		}
		return
	}
	if s.Recorded == nil {
		t.Fatal("has not been recorded: run with -update")
	}
	want := s.Recorded
	slack := float64(want.CapacityBytes) / 100
	nearly := cmp.Comparer(func(a, b int64) bool { return max(a, b)-min(a, b) <= int64(slack) })
	if diff := cmp.Diff(want.Outcome, got.Outcome, nearly); diff != "" {
		t.Errorf("the kubelet decided otherwise (-recorded +now):\n%s", diff)
	}
	if diff := cmp.Diff(want.Disk, got.Disk, nearly, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("the disk costs something else (-recorded +now):\n%s", diff)
	}
}
