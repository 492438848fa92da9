// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/headroom-dev/headroom/ledger"
)

// A rack goes down: 100 nodes keep every worker that asks them waiting for ten seconds.
func TestNodesThatDoNotAnswerLeaveWorkersToOthers(t *testing.T) {
	o := PollerOptions{Concurrency: 8, Phase: phaseOf}
	polling(t, o, func(p *Poller, f *fakeKubelets, s *samples, _ *lockedBuffer) {
		f.takes = 50 * time.Millisecond
		for i := range 200 {
			p.NodeSet(linuxNode(fmt.Sprintf("node-%d", i), "1", "boot"), readyRow)
		}
		after(2 * time.Minute)
		for i := range 100 {
			f.hang(fmt.Sprintf("node-%d", i), true)
			p.NodeSet(linuxNode(fmt.Sprintf("node-%d", i), "1", "boot"), ledger.Node{})
		}
		f.times("node-1")
		s.forgetAges()
		after(10 * time.Minute)
		// 3 seconds old when it came, 30 until the next: what else there is has been waited for.
		if s.oldest == 0 || s.oldest > 40*time.Second {
			t.Errorf("a sample of a node that answers was %v old before the next came", s.oldest)
		}
		if failing := len(f.times("node-1")); failing == 0 {
			t.Error("a node that hangs was not asked any more")
		}
		if states := p.States(); states[1].Pace != PaceFailing {
			t.Errorf("pace %s of a node that hangs", states[1].Pace)
		}
	})
}

func TestANodeThatIsReadyAgainIsAskedAtOnce(t *testing.T) {
	polling(t, PollerOptions{}, func(p *Poller, f *fakeKubelets, _ *samples, _ *lockedBuffer) {
		f.hang("a", true)
		p.NodeSet(linuxNode("a", "1", "boot"), readyRow)
		after(5 * time.Second)
		p.NodeSet(linuxNode("a", "1", "boot"), ledger.Node{})
		after(295 * time.Second) // asked at 1, 41, 111 and 241, and next at 491
		f.hang("a", false)
		p.NodeSet(linuxNode("a", "1", "boot"), readyRow)
		p.NodeSet(linuxNode("a", "1", "boot"), readyRow)
		after(10 * time.Second)
		if diff := cmp.Diff([]int{1, 41, 111, 241, 300}, f.times("a")); diff != "" {
			t.Errorf("asked at (-want +got):\n%s", diff)
		}
	})
}
