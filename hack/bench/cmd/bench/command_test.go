// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/headroom-dev/headroom/hack/bench/decision"
	"github.com/headroom-dev/headroom/hack/bench/fleet"
	"github.com/headroom-dev/headroom/hack/bench/load"
	"github.com/headroom-dev/headroom/hack/bench/measure"
	"github.com/headroom-dev/headroom/hack/bench/peer"
	"github.com/headroom-dev/headroom/hack/bench/result"
)

// asked is what a round of a plan brings: every request takes so many microseconds of processor time.
func asked(o measure.RequestOptions, microseconds func(name string, f *fleet.Spec) float64) *result.Requests {
	r := &result.Requests{}
	add := func(name string, f *fleet.Spec) {
		m := load.Measurement{ServerCPUSeconds: microseconds(name, f) / 1e6}
		m.Requests = 1
		r.Samples = append(r.Samples, result.Sample{Peer: name, Fleet: f, Generator: load.Closed, Measurement: m})
	}
	for _, name := range o.Peers {
		add(name, nil)
	}
	for i := range o.Fleets {
		add(peer.Headroom, &o.Fleets[i])
	}
	return r
}

func decided(o measure.DecisionOptions, microseconds float64) *result.Decisions {
	d := &result.Decisions{}
	for _, f := range slices.Concat(o.Fleets, o.Ledgers) {
		d.Samples = append(d.Samples, result.Decision{
			Fleet: f, Count: 1, Latency: load.Latency{P50: microseconds, P99: microseconds}, LedgerBytes: int64(f.Nodes)*4000 + int64(f.Nodes*f.PodsPerNode)*100,
		})
	}
	return d
}

// What is guarded has to be measured by the command that guards.
func TestQuickMeasuresAllThatIsGuarded(t *testing.T) {
	r := &result.Results{
		Requests:  asked(quickRequests(measure.Part{}), func(string, *fleet.Spec) float64 { return 100 }),
		Decisions: decided(quickDecisions(measure.Part{}), 1),
	}
	for _, j := range result.Judge(r) {
		if j.Guard != nil && j.State == result.NotMeasured {
			t.Errorf("%s: %s is guarded and not measured", j.Target, j.What)
		}
	}
}

func TestQuickFailsOnWhatIsPastItsGuardAndSaysWhatThatIs(t *testing.T) {
	costs := func(microseconds float64) *result.Results {
		return &result.Results{
			Requests: asked(quickRequests(measure.Part{}), func(name string, f *fleet.Spec) float64 {
				if f != nil && f.Nodes == 15000 {
					return microseconds
				}
				if name == peer.ControllerRuntime {
					return 200
				}
				return 100
			}),
			Decisions: decided(quickDecisions(measure.Part{}), 1),
		}
	}
	var out bytes.Buffer
	if err := report(&out, costs(115)); err != nil {
		t.Errorf("not met, but within the guard: %v", err)
	}
	if !strings.Contains(out.String(), string(result.NotMet)) {
		t.Errorf("what is not met is not said to be:\n%s", out.String())
	}
	err := report(&out, costs(5000))
	if err == nil {
		t.Fatal("50 times of what it should cost is taken for noise")
	}
	for _, target := range []string{"P1: ", "P2: ", "P3: "} {
		if !strings.Contains(err.Error(), target) {
			t.Errorf("%q is not among\n%v", target, err)
		}
	}
}

func TestAllPartsMeasureAllThatTheyCan(t *testing.T) {
	r := &result.Results{
		Requests:  asked(fullRequests(measure.Part{}, 0, 15000), func(string, *fleet.Spec) float64 { return 100 }),
		Decisions: decided(fullDecisions(measure.Part{}, 0, 15000), 1),
	}
	for _, j := range result.Judge(r) {
		if slices.Contains([]string{"P1", "P2", "P3", "P4", "P7", "M2"}, j.Target) && j.State == result.NotMeasured {
			t.Errorf("%s: %s is not measured", j.Target, j.What)
		}
	}
}

func TestRoundsAreThoseThatAreAskedFor(t *testing.T) {
	d := decision.New(fleet.Spec{Nodes: 3, Kind: fleet.Roomy, ImagesPerNode: 10})
	var out bytes.Buffer
	if err := decide(d, 0, strings.NewReader("4\n0\n"), &out); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 3 || lines[0] != "ready" || !strings.HasPrefix(lines[1], `{"round":4,`) || !strings.HasPrefix(lines[2], `{"round":0,`) {
		t.Errorf("got %q", lines)
	}
	if err := decide(d, 0, strings.NewReader("next\n"), &out); err == nil {
		t.Error("a word is taken for a round")
	}
}

func TestLargerFleetsCanBeLeftOut(t *testing.T) {
	for _, f := range fullRequests(measure.Part{}, 0, 1000).Fleets {
		if f.Nodes > 1000 {
			t.Errorf("a fleet of %d nodes", f.Nodes)
		}
	}
	if got := sizes(5000); len(got) != 1 || got[0].Pods < 33_000 {
		t.Errorf("sizes %v", got)
	}
	if got := sizes(15000); len(got) != 2 || got[1].Pods != 500_000 {
		t.Errorf("sizes %v", got)
	}
}
