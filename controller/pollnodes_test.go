// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/headroom-dev/headroom/ledger"
)

func TestPollsOftenWhilePullsArePending(t *testing.T) {
	polling(t, PollerOptions{}, func(p *Poller, f *fakeKubelets, _ *samples, _ *lockedBuffer) {
		p.NodeSet(linuxNode("a", "1", "boot"), readyRow)
		after(12 * time.Second) // asked at 1
		pulling := ledger.Pod{UID: "p", NodeName: "a", Images: []ledger.PodImage{{Pulled: true}, {}}}
		p.PodSet(pulling) // 11 seconds since the last: at once
		after(23 * time.Second)
		pulled := pulling
		pulled.Images = []ledger.PodImage{{Pulled: true}, {Pulled: true}}
		p.PodSet(pulled) // at 35, asked at 30: once more at 40, then at leisure
		after(40 * time.Second)
		if diff := cmp.Diff([]int{1, 12, 20, 30, 40, 61}, f.times("a")); diff != "" {
			t.Errorf("asked at (-want +got):\n%s", diff)
		}
	})
}

func TestPullsKnowWhereImagesAreMissing(t *testing.T) {
	missing := []ledger.PodImage{{}}
	p := newPulls()
	for _, step := range []struct {
		name string
		row  ledger.Pod
		want string
		on   bool
	}{
		{"not bound", ledger.Pod{UID: "1", Images: missing}, "", false},
		{"bound", ledger.Pod{UID: "1", NodeName: "a", Images: missing}, "a", true},
		{"again", ledger.Pod{UID: "1", NodeName: "a", Images: missing}, "", true},
		{"a second pod", ledger.Pod{UID: "2", NodeName: "a", Images: missing}, "", true},
		{"the first fails", ledger.Pod{UID: "1", NodeName: "a", Images: []ledger.PodImage{{Failing: true}}}, "", true},
		{"the second finished", ledger.Pod{UID: "2", NodeName: "a", Images: missing, Finished: true}, "a", false},
		{"on its way out", ledger.Pod{UID: "3", NodeName: "a", Images: missing, Deleting: true}, "", false},
	} {
		if got := p.set(step.row); got != step.want || p.on("a") != step.on {
			t.Errorf("%s: changed %q, pulls on a: %v, want %q, %v", step.name, got, p.on("a"), step.want, step.on)
		}
	}
	if len(p.nodeOf) != 0 || len(p.waiting) != 0 {
		t.Errorf("left behind: %v %v", p.nodeOf, p.waiting)
	}
}

func TestNodesThatCannotBeAskedAreNotAndShowIt(t *testing.T) {
	polling(t, PollerOptions{}, func(p *Poller, f *fakeKubelets, s *samples, logged *lockedBuffer) {
		n := linuxNode("a", "1", "boot")
		p.NodeSet(n, readyRow)
		after(5 * time.Second)
		lost := n.DeepCopy()
		lost.Status.Addresses = nil
		for range 3 {
			p.NodeSet(lost, readyRow)
		}
		after(10 * time.Minute)
		if got := f.times("a"); len(got) != 1 || p.States()[0].NotAsked != NoAddress || !slices.Equal(s.forgotten, []string{"a"}) {
			t.Errorf("asked at %v, state %+v, forgotten %v", got, p.States()[0], s.forgotten)
		}
		if n := strings.Count(logged.String(), "Kubelet is not asked"); n != 1 {
			t.Errorf("logged %d times:\n%s", n, logged)
		}
		p.NodeSet(n, readyRow)
		after(5 * time.Second)
		if got := f.times("a"); len(got) != 1 || p.States()[0].NotAsked != "" {
			t.Errorf("with an address again: asked at %v, state %+v", got, p.States()[0])
		}
	})
}

func TestPolls5000NodesWithinBoundsAndSpreadOut(t *testing.T) {
	const nodes = 5000
	random := uint64(1)
	o := PollerOptions{Concurrency: 16, Phase: phaseOf, Random: func() float64 {
		random = random*6364136223846793005 + 1442695040888963407
		return float64(random>>11) / (1 << 53)
	}}
	polling(t, o, func(p *Poller, f *fakeKubelets, s *samples, _ *lockedBuffer) {
		f.takes = 20 * time.Millisecond
		for i := range nodes {
			p.NodeSet(linuxNode(fmt.Sprintf("node-%d", i), "1", "boot"), readyRow)
		}
		after(2 * time.Minute)
		perSecond := map[int]int{}
		for name, times := range f.asked {
			if len(times) < 3 {
				t.Fatalf("%s was asked %d times in two minutes", name, len(times))
			}
			for _, at := range times {
				perSecond[int(at/time.Second)]++
			}
		}
		if len(s.samples) != nodes || f.most > 16 {
			t.Errorf("%d nodes sampled, %d at a time", len(s.samples), f.most)
		}
		for second, n := range perSecond {
			// Each node has its turn every 30 seconds, and at first come 200 more.
			limit := nodes / 30 * 13 / 10
			if second < 60 {
				limit += 200
			}
			if n > limit {
				t.Errorf("second %d had %d of %d nodes: not spread out", second, n, nodes)
			}
		}
	})
}
