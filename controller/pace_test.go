// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/headroom-dev/headroom/kubelet"
	"github.com/headroom-dev/headroom/ledger"
)

const gib = 1 << 30

// stale returns MaxStaleness of a policy that allows d.
func stale(d time.Duration) func() time.Duration { return func() time.Duration { return d } }

func TestNodesWithMuchRoomAreAskedAsSeldomAsTheirSamplesStayFresh(t *testing.T) {
	disk := func(capacity, available int64) kubelet.Stats {
		return kubelet.Stats{CapacityBytes: capacity, AvailableBytes: available, Age: 15 * time.Second, SampledAt: t0}
	}
	roomy, pressed := disk(1000*gib, 990*gib), readyRow
	pressed.DiskPressure = true
	usual := []int{1, 31, 61, 91, 121, 151, 181, 211, 241}
	for what, test := range map[string]struct {
		allowed func() time.Duration
		disk    kubelet.Stats
		row     ledger.Node
		want    []int
		pace    Pace
	}{
		"as the policy is by default":      {stale(90 * time.Second), roomy, readyRow, []int{1, 62, 122, 182, 242}, PaceFar},
		"a policy that allows old ones":    {stale(5 * time.Minute), roomy, readyRow, []int{1, 8, 248}, PaceFar},
		"one that allows less":             {stale(80 * time.Second), roomy, readyRow, usual, PaceNear},
		"no policy":                        {nil, roomy, readyRow, usual, PaceNear},
		"some room":                        {stale(5 * time.Minute), disk(100*gib, 60*gib), readyRow, []int{1, 4, 124, 244}, PaceFar},
		"a disk that a few images fill":    {stale(5 * time.Minute), disk(20*gib, 20*gib), readyRow, usual, PaceNear},
		"a node that reports DiskPressure": {stale(5 * time.Minute), roomy, pressed, usual, PaceNear},
	} {
		t.Run(what, func(t *testing.T) {
			polling(t, PollerOptions{MaxStaleness: test.allowed}, func(p *Poller, f *fakeKubelets, _ *samples, _ *lockedBuffer) {
				f.disk = test.disk
				p.NodeSet(linuxNode("a", "1", "boot"), test.row)
				after(250 * time.Second)
				if diff := cmp.Diff(test.want, f.times("a")); diff != "" {
					t.Errorf("asked at (-want +got):\n%s", diff)
				}
				if pace := p.States()[0].Pace; pace != test.pace {
					t.Errorf("pace %s, want %s", pace, test.pace)
				}
			})
		})
	}
}

// Whatever a node's room does, and however long its kubelet thinks, no sample of a node that answers grows older than
// the policy allows.
func TestNoSampleOfANodeThatAnswersGrowsStale(t *testing.T) {
	for _, allowed := range []time.Duration{90 * time.Second, 2 * time.Minute, 5 * time.Minute, time.Hour} {
		random := rand.New(rand.NewPCG(1, uint64(allowed)))
		o := PollerOptions{MaxStaleness: stale(allowed), Phase: phaseOf, Random: rand.Float64}
		polling(t, o, func(p *Poller, f *fakeKubelets, s *samples, _ *lockedBuffer) {
			for i := range 200 {
				p.NodeSet(linuxNode(fmt.Sprintf("node-%d", i), "1", "boot"), readyRow)
			}
			for range 200 {
				f.mu.Lock()
				f.takes = time.Duration(random.Int64N(int64(5 * time.Second)))
				f.disk.CapacityBytes, f.disk.AvailableBytes = 1000*gib, random.Int64N(1000*gib)
				f.disk.Age = time.Duration(random.Int64N(int64(15 * time.Second)))
				f.mu.Unlock()
				pod := ledger.Pod{UID: "p", NodeName: fmt.Sprintf("node-%d", random.IntN(200)), Images: []ledger.PodImage{{}}}
				p.PodSet(pod)
				after(time.Duration(random.Int64N(int64(30 * time.Second))))
				p.PodDeleted("p")
			}
			if s.oldest > allowed || s.oldest < 30*time.Second {
				t.Errorf("a sample was %v old before the next came, allowed are %v", s.oldest, allowed)
			}
			if len(s.samples) != 200 {
				t.Errorf("%d nodes were sampled", len(s.samples))
			}
		})
	}
}

func TestAStricterPolicyBringsPollsForward(t *testing.T) {
	var allowed atomic.Int64
	allowed.Store(int64(5 * time.Minute))
	o := PollerOptions{MaxStaleness: func() time.Duration { return time.Duration(allowed.Load()) }}
	polling(t, o, func(p *Poller, f *fakeKubelets, _ *samples, _ *lockedBuffer) {
		f.disk = kubelet.Stats{CapacityBytes: 1000 * gib, AvailableBytes: 1000 * gib, SampledAt: t0}
		p.NodeSet(linuxNode("a", "1", "boot"), readyRow)
		after(50 * time.Second)
		allowed.Store(int64(90 * time.Second))
		after(100 * time.Second)
		if diff := cmp.Diff([]int{1, 8, 62, 122}, f.times("a")); diff != "" {
			t.Errorf("asked at (-want +got):\n%s", diff)
		}
		allowed.Store(int64(5 * time.Minute))
		after(300 * time.Second)
		if diff := cmp.Diff([]int{182, 248}, f.times("a")); diff != "" {
			t.Errorf("allowed more again, asked at (-want +got):\n%s", diff)
		}
	})
}

func TestDiskPressureBringsAPollForward(t *testing.T) {
	polling(t, PollerOptions{MaxStaleness: stale(5 * time.Minute)}, func(p *Poller, f *fakeKubelets, _ *samples, _ *lockedBuffer) {
		f.disk = kubelet.Stats{CapacityBytes: 1000 * gib, AvailableBytes: 1000 * gib, SampledAt: t0}
		p.NodeSet(linuxNode("a", "1", "boot"), readyRow)
		after(50 * time.Second)
		pressed := readyRow
		pressed.DiskPressure = true
		for range 3 {
			p.NodeSet(linuxNode("a", "1", "boot"), pressed)
			after(time.Second)
		}
		after(20 * time.Second)
		if diff := cmp.Diff([]int{1, 8, 50, 61}, f.times("a")); diff != "" {
			t.Errorf("asked at (-want +got):\n%s", diff)
		}
	})
}

func TestTurnsAreSpreadEvenly(t *testing.T) {
	const nodes, parts = 15_000, 30
	var counts [parts]int
	for i := range nodes {
		phase := phaseOf(fmt.Sprintf("ip-10-%d-%d-%d.eu-central-1.compute.internal", i>>16, i>>8&255, i&255))
		if phase < 0 || phase >= 1 {
			t.Fatalf("phase %v", phase)
		}
		counts[int(phase*parts)]++
	}
	for i, n := range counts {
		if n < nodes/parts*8/10 || n > nodes/parts*12/10 {
			t.Errorf("part %d has %d of %d nodes", i, n, nodes)
		}
	}
}
