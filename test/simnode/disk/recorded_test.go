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

// TestSoftLinesWaitForTheirGrace looks at what an outcome does not tell: when.
func TestSoftLinesWaitForTheirGrace(t *testing.T) {
	for _, s := range recordedSequences(t) {
		for signal, text := range s.EvictionSoftGracePeriod {
			grace, err := time.ParseDuration(text)
			if err != nil {
				t.Fatalf("%s: %s: %v", s.Name, signal, err)
			}
			_, events, err := sequence.Replay(s, sequence.Timing{BytesPerSecond: -1})
			if err != nil {
				t.Fatal(err)
			}
			var pressure time.Time
			for _, e := range events {
				switch e.Kind {
				case disk.PressureOn:
					pressure = e.At
				case disk.ThresholdMet:
					if waited := e.At.Sub(pressure); waited < grace {
						t.Errorf("%s: acted %v after pressure came, want %v or more", s.Name, waited, grace)
					}
				default:
				}
			}
			if pressure.IsZero() {
				t.Errorf("%s: pressure never came", s.Name)
			}
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
