// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package result

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/headroom-dev/headroom/hack/bench/fleet"
	"github.com/headroom-dev/headroom/hack/bench/load"
	"github.com/headroom-dev/headroom/hack/bench/peer"
)

func TestFigureIsTheMedianOfRounds(t *testing.T) {
	for about, c := range map[string]struct {
		values []float64
		want   string
	}{
		"none":      {nil, "-"},
		"one":       {[]float64{0.5}, "0.5"},
		"odd":       {[]float64{3, 1, 2}, "2 (1 to 3)"},
		"even":      {[]float64{4, 1, 3, 2}, "2.5 (1 to 4)"},
		"all alike": {[]float64{7, 7}, "7"},
	} {
		t.Run(about, func(t *testing.T) {
			if got := figureOf(c.values).String(); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestNumbersHaveThreeDigits(t *testing.T) {
	for value, want := range map[float64]string{
		0: "0", 0.01234: "0.0123", 0.6: "0.6", 1: "1", 1.035: "1.03", 45.67: "45.7", 456.7: "457", 12345.6: "12,346", 1e6: "1,000,000", -1234: "-1,234", 999.6: "1,000",
	} {
		if got := number(value); got != want {
			t.Errorf("%v is written %s, want %s", value, got, want)
		}
	}
}

func TestFewRoundsAreNamed(t *testing.T) {
	for n, want := range map[int]string{0: "-", 1: "2 µs, 1 round", 3: "2 µs, 3 rounds", 5: "2 µs"} {
		j := Judged{Check: Check{Unit: "µs"}, Figure: Figure{Median: 2, Min: 2, Max: 2, Rounds: n}}
		if got := j.Measured(); got != want {
			t.Errorf("%d rounds: %q, want %q", n, got, want)
		}
	}
}

// asked makes samples of a closed loop, a value of microseconds for each round.
func asked(name string, f *fleet.Spec, microseconds ...float64) []Sample {
	var all []Sample
	for round, v := range microseconds {
		s := Sample{Round: round, Peer: name, Fleet: f, Generator: load.Closed, Measurement: load.Measurement{ServerCPUSeconds: v / 1e6}}
		s.Measurement.Requests = 1
		all = append(all, s)
	}
	return all
}

func TestRatiosAreTakenWithinARound(t *testing.T) {
	f := fleet.Of(1000, fleet.Roomy)
	// The machine was half as fast in the second round: that is not to be seen.
	r := &Results{Requests: &Requests{Samples: append(asked(peer.Headroom, &f, 100, 200, 110), asked(peer.ControllerRuntime, nil, 200, 400, 200)...)}}
	for _, j := range Judge(r) {
		if j.Target == "P1" && j.Figure.Rounds > 0 {
			if diff := cmp.Diff(Figure{Median: 0.5, Min: 0.5, Max: 0.55, Rounds: 3}, j.Figure); diff != "" || j.State != Met {
				t.Errorf("%s: %s", j.State, diff)
			}
			return
		}
	}
	t.Error("P1 is not measured")
}

func TestRoundsThatFailedDoNotCount(t *testing.T) {
	samples := asked(peer.Bare, nil, 100, 200)
	samples[1].Measurement.Errors = 1
	r := &Results{Requests: &Requests{Samples: samples}}
	if got := r.cpu(webhook{peer: peer.Bare}).figure(); got.Rounds != 1 || got.Median != 100 {
		t.Errorf("got %+v", got)
	}
}

func TestRegressionIsWhatIsPastTheGuardInEveryRound(t *testing.T) {
	f := fleet.Of(1000, fleet.Roomy)
	for about, c := range map[string]struct {
		microseconds []float64
		state        State
		regression   bool
	}{
		"within the target":      {[]float64{100, 120, 110}, Met, false},
		"in most rounds":         {[]float64{100, 120, 140}, Disputed, false},
		"in one round":           {[]float64{100, 140, 140}, NotMet, false},
		"not met":                {[]float64{150, 160, 155}, NotMet, false},
		"past it in some rounds": {[]float64{160, 400, 400}, NotMet, false},
		"past it in every round": {[]float64{300, 400, 171}, NotMet, true},
	} {
		t.Run(about, func(t *testing.T) {
			r := &Results{Requests: &Requests{Samples: append(asked(peer.Headroom, &f, c.microseconds...), asked(peer.ControllerRuntime, nil, 200, 200, 200)...)}}
			var state State
			for _, j := range Judge(r) {
				if j.Target == "P1" && j.Figure.Rounds > 0 {
					state = j.State
				}
			}
			if state != c.state || (len(Regressions(r)) > 0) != c.regression {
				t.Errorf("%s, regressions %v; want %s, %v", state, Regressions(r), c.state, c.regression)
			}
		})
	}
}

// What is measured quickly has to be past its target before it is past its guard.
func TestGuardsAreWiderThanTargets(t *testing.T) {
	guarded := 0
	for _, c := range Checks() {
		if c.Guard == nil {
			continue
		}
		guarded++
		if !c.within(c.Limit, *c.Guard) {
			t.Errorf("%s: %s: the guard %s is narrower than the target %s", c.Target, c.What, c.GuardBound(), c.Bound())
		}
	}
	if guarded < 10 {
		t.Errorf("only %d guards", guarded)
	}
}

func TestEveryTargetOfTheIssueHasARow(t *testing.T) {
	rows := map[string]bool{}
	for _, c := range Checks() {
		rows[c.Target] = true
	}
	for _, target := range []string{"P1", "P2", "P3", "P4", "P5", "P6", "P7", "P8", "M1", "M2", "M3", "M4", "M5", "F1"} {
		if !rows[target] {
			t.Errorf("%s has none", target)
		}
	}
}

func TestPollsThatWereNotMadeAreReckoned(t *testing.T) {
	for about, c := range map[string]struct {
		situation    string
		polls, cores float64
	}{
		"all near a line":                     {NearLines, 5000, 0.5},
		"the machine was busy":                {NearLines, 2500, 0.5},
		"all with room":                       {FarFromLines, 2500, 0.25},
		"with room, and the machine was busy": {FarFromLines, 500, 0.25},
	} {
		t.Run(about, func(t *testing.T) {
			p := &Polled{Situation: c.situation, Kubelets: 15000, Seconds: 10, Polls: c.polls, Bytes: c.polls * 12e3, CPUSeconds: c.polls / 1000}
			if got := p.Cores(); got != c.cores {
				t.Errorf("%v cores, want %v", got, c.cores)
			}
			if got, want := p.BytesPerSecond(), c.cores*12e6; got != want {
				t.Errorf("%v bytes a second, want %v", got, want)
			}
		})
	}
}
