// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package disk

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestThresholdMet(t *testing.T) {
	for sentence, test := range map[string]struct {
		hard      string
		reclaim   string
		available int64
		recover   bool
		want      bool
	}{
		"exactly the line is not met":                             {hard: "15%", available: 1500},
		"one byte under the line is met":                          {hard: "15%", available: 1499, want: true},
		"an absolute line counts bytes":                           {hard: "1k", available: 999, want: true},
		"an absolute line is strict too":                          {hard: "1k", available: 1000},
		"the minimum reclaim does not matter before":              {hard: "15%", reclaim: "5%", available: 1600},
		"the minimum reclaim raises the line while recovering":    {hard: "15%", reclaim: "5%", available: 1999, recover: true, want: true},
		"recovery ends at the raised line":                        {hard: "15%", reclaim: "5%", available: 2000, recover: true},
		"a share is cut as the kubelet's float32 product cuts it": {hard: "10%", available: 1000},
	} {
		t.Run(sentence, func(t *testing.T) {
			reclaim := map[string]string{}
			if test.reclaim != "" {
				reclaim["imagefs.available"] = test.reclaim
			}
			thresholds, err := ParseThresholds(map[string]string{"imagefs.available": test.hard}, nil, nil, reclaim)
			if err != nil {
				t.Fatal(err)
			}
			if got := thresholds[0].Met(Observation{CapacityBytes: 10_000, AvailableBytes: test.available}, test.recover); got != test.want {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

func TestParseThresholds(t *testing.T) {
	for sentence, test := range map[string]struct {
		hard, soft, grace, reclaim map[string]string
		want                       int
		wantErr                    string
	}{
		"the kubelet's defaults give the two disk lines": {
			hard: map[string]string{"memory.available": "100Mi", "nodefs.available": "10%", "nodefs.inodesFree": "5%", "imagefs.available": "15%", "imagefs.inodesFree": "5%"},
			want: 2,
		},
		"0% and 100% are no lines":             {hard: map[string]string{"nodefs.available": "0%", "imagefs.available": "100%"}},
		"soft lines come with their grace":     {soft: map[string]string{"imagefs.available": "20%"}, grace: map[string]string{"imagefs.available": "90s"}, want: 1},
		"a soft line without grace is refused": {soft: map[string]string{"imagefs.available": "20%"}, wantErr: "evictionSoftGracePeriod"},
		"a percentage over 100 is refused":     {hard: map[string]string{"imagefs.available": "101%"}, wantErr: `"101%"`},
		"a negative quantity is refused":       {hard: map[string]string{"imagefs.available": "-1"}, wantErr: "more than 0"},
		"nonsense is refused":                  {hard: map[string]string{"imagefs.available": "lots"}, wantErr: `"lots"`},
		"a nonsensical reclaim is refused":     {reclaim: map[string]string{"imagefs.available": "x%"}, wantErr: "evictionMinimumReclaim"},
	} {
		t.Run(sentence, func(t *testing.T) {
			got, err := ParseThresholds(test.hard, test.soft, test.grace, test.reclaim)
			if test.wantErr != "" {
				if err == nil || !strings.Contains(err.Error(), test.wantErr) {
					t.Fatalf("error %v, want one with %q", err, test.wantErr)
				}
				return
			}
			if err != nil || len(got) != test.want {
				t.Errorf("got %d thresholds and error %v, want %d", len(got), err, test.want)
			}
		})
	}
}

func TestPressureTransition(t *testing.T) {
	hard := []Threshold{{Signal: ImageFSAvailable, Line: Amount{Bytes: 100}}}
	soft := []Threshold{{Signal: ImageFSAvailable, Line: Amount{Bytes: 100}, Soft: true, Grace: 25 * time.Second}}
	type step struct {
		after     time.Duration
		available int64
		stale     bool // no newer statistics than at the step before
		pressure  bool
		act       bool
	}
	for sentence, test := range map[string]struct {
		thresholds []Threshold
		steps      []step
	}{
		"DiskPressure stays until the transition period after the last crossing": {
			hard, []step{
				{0, 100, false, false, false},
				{10 * time.Second, 99, false, true, true},
				{20 * time.Second, 500, false, true, false},
				{5*time.Minute + 10*time.Second - 1, 500, false, true, false},
				{5*time.Minute + 10*time.Second, 500, false, false, false},
			},
		},
		"a soft line sets DiskPressure at once and evicts after its grace period": {
			soft, []step{
				{0, 50, false, true, false},
				{20 * time.Second, 50, false, true, false},
				{25 * time.Second, 50, false, true, true},
			},
		},
		"a soft line that is left in between starts its grace period again": {
			soft, []step{
				{0, 50, false, true, false},
				{20 * time.Second, 150, false, true, false},
				{30 * time.Second, 50, false, true, false},
				{50 * time.Second, 50, false, true, false},
				{55 * time.Second, 50, false, true, true},
			},
		},
		"nothing is done twice on the same statistics": {
			hard, []step{
				{0, 50, false, true, true},
				{time.Second, 50, true, true, false},
				{10 * time.Second, 50, false, true, true},
			},
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			var p Pressure
			var stats time.Time
			for i, s := range test.steps {
				if !s.stale {
					stats = t0.Add(s.after)
				}
				seen := map[Signal]Observation{ImageFSAvailable: {CapacityBytes: 1000, AvailableBytes: s.available, Time: stats}}
				act := p.Observe(t0.Add(s.after), test.thresholds, seen, 5*time.Minute)
				if p.DiskPressure() != s.pressure || len(act) > 0 != s.act {
					t.Errorf("step %d: pressure %v, act %v; want %v, %v", i, p.DiskPressure(), len(act) > 0, s.pressure, s.act)
				}
			}
		})
	}
}

func TestRank(t *testing.T) {
	older := t0.Add(-time.Hour)
	for sentence, test := range map[string]struct {
		pods []Usage
		want []string
	}{
		"a pod that is still pulling has no statistics and goes first": {
			[]Usage{{ID: "runs", Measured: true, DiskBytes: 9, Created: older}, {ID: "pulls", Priority: 10, Created: t0}}, []string{"pulls", "runs"},
		},
		"more than requested goes before lower priority": {
			[]Usage{{ID: "low", Measured: true, DiskBytes: 5, RequestBytes: 5, Priority: -1}, {ID: "over", Measured: true, DiskBytes: 6, RequestBytes: 5, Priority: 10}}, []string{"over", "low"},
		},
		"lower priority goes before larger use": {
			[]Usage{{ID: "big", Measured: true, DiskBytes: 100, Priority: 1}, {ID: "low", Measured: true, DiskBytes: 1}}, []string{"low", "big"},
		},
		"larger use above the request goes before older": {
			[]Usage{{ID: "a", Measured: true, DiskBytes: 100, RequestBytes: 90, Created: older}, {ID: "b", Measured: true, DiskBytes: 50, Created: t0}}, []string{"b", "a"},
		},
		"among equals the older goes first": {
			[]Usage{{ID: "a", Measured: true, Created: t0}, {ID: "b", Measured: true, Created: older}}, []string{"b", "a"},
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			Rank(test.pods)
			var got []string
			for _, p := range test.pods {
				got = append(got, p.ID)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
