// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package disk_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/headroom-dev/headroom/test/simnode/disk"
	"github.com/headroom-dev/headroom/test/simnode/sequence"
)

// recordedSequences are what real kubelets did; TestSequences in test/e2e
// records them, and checks that real kubelets still do it.
func recordedSequences(t *testing.T) []sequence.Sequence {
	t.Helper()
	all, err := sequence.Load("testdata/recorded")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range all {
		if s.Recorded == nil {
			t.Fatalf("sequence %s has not been recorded: run TestSequences in test/e2e with -update", s.Name)
		}
	}
	if len(all) < 6 {
		t.Fatalf("%d recorded sequences, want at least 6", len(all))
	}
	return all
}

// TestDecidesAsARealKubeletDid replays every recording, whatever the speed of
// pulls and wherever in the kubelet's loops the first step falls.
func TestDecidesAsARealKubeletDid(t *testing.T) {
	for _, s := range recordedSequences(t) {
		t.Run(s.Name, func(t *testing.T) {
			for _, rate := range []int64{-1, 200_000_000, 50_000_000} {
				for offset := 500 * time.Millisecond; offset < 10*time.Second; offset += 1500 * time.Millisecond {
					got, events, err := sequence.Replay(s, sequence.Timing{Offset: offset, BytesPerSecond: rate})
					if err != nil {
						t.Fatal(err)
					}
					slack := s.Recorded.CapacityBytes / 100
					nearly := cmp.Comparer(func(a, b int64) bool { return max(a, b)-min(a, b) <= slack })
					if diff := cmp.Diff(s.Recorded.Outcome, got, nearly); diff != "" {
						t.Fatalf("begun %v into the loops, %d bytes per second: the simulated kubelet decided otherwise (-real +simulated):\n%s\n%s",
							offset, rate, diff, story(events))
					}
				}
			}
		})
	}
}

// TestTimesThatOutcomesDoNotTell looks at the simulated kubelet's: soft lines wait
// for their grace period, and pressure lasts for its transition period at least.
// TestSequences looks at the real ones'.
func TestTimesThatOutcomesDoNotTell(t *testing.T) {
	for _, s := range recordedSequences(t) {
		_, events, err := sequence.Replay(s, sequence.Timing{BytesPerSecond: -1})
		if err != nil {
			t.Fatal(err)
		}
		var grace time.Duration
		if text, soft := s.EvictionSoftGracePeriod[string(disk.ImageFSAvailable)]; soft {
			if grace, err = time.ParseDuration(text); err != nil {
				t.Fatalf("%s: %v", s.Name, err)
			}
		}
		var pressure time.Time
		for _, e := range events {
			since := e.At.Sub(pressure)
			switch {
			case e.Kind == disk.PressureOn:
				pressure = e.At
			case e.Kind == disk.PressureOff && since < s.PressureTransition.Duration:
				t.Errorf("%s: pressure lasted %v, want %v or more", s.Name, since, s.PressureTransition.Duration)
			case e.Kind == disk.ThresholdMet && since < grace:
				t.Errorf("%s: acted %v after pressure came, want %v or more", s.Name, since, grace)
			}
		}
		if came := !pressure.IsZero(); came != (s.Recorded.PressureCame > 0) {
			t.Errorf("%s: pressure came: %v, want %v", s.Name, came, !came)
		}
	}
}

// TestRecordingsTellKubeletsApart makes sure that a kubelet that does nothing, or
// everything, would not pass.
func TestRecordingsTellKubeletsApart(t *testing.T) {
	var deleted, evicted, failed, untouched int
	for _, s := range recordedSequences(t) {
		o := s.Recorded.Outcome
		deleted += min(1, len(o.DeletedImages))
		evicted += min(1, len(o.EvictedPods))
		failed += min(1, len(o.FailedPulls))
		if len(o.DeletedImages)+len(o.EvictedPods) == 0 {
			untouched++
		}
	}
	if min(deleted, evicted) < 2 || min(failed, untouched) < 1 {
		t.Errorf("%d sequences delete images, %d evict pods, %d fail pulls, %d do neither: want 2, 2, 1 and 1 at least", deleted, evicted, failed, untouched)
	}
}

// story is what happened, for people.
func story(events []disk.Event) string {
	var b strings.Builder
	for _, e := range events {
		fmt.Fprintf(&b, "%8.1fs %s %s %s %d %s\n", e.At.Sub(time.Unix(0, 0)).Seconds(), e.Kind, e.Pod, e.Image, e.Bytes, e.Message)
	}
	return b.String()
}
