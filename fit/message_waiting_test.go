// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fit

import (
	"fmt"
	"strings"
	"testing"

	"github.com/headroom-dev/headroom/policy"
	"github.com/headroom-dev/headroom/verdict"
)

func TestSentencesAboutPodsThatWait(t *testing.T) {
	var out strings.Builder
	for _, v := range verdict.All()[1:5] {
		for _, nodes := range []int{3, 1} {
			for _, left := range []int64{3 * gi, 10*gi - 1, 0} {
				s := &survey{
					policy: &policy.Policy{DenyAt: v}, possible: scopeOf(v, 0, nodes, true, false), left: &left,
					total: total{need: amount{10 * gi, left == 0}, evicts: v != verdict.FillsDisk || nodes > 1},
				}
				fmt.Fprintf(&out, "%s, %d nodes, %d left\n", v, nodes, left)
				for _, say := range []sentences{{numbers: true, names: true}, {numbers: true}, {names: true}, {}} {
					text := say.denial(s)
					fmt.Fprintf(&out, "  %3d %s\n", len([]rune(text)), text)
					if !say.numbers && strings.ContainsAny(strings.ReplaceAll(text, "worker-1", ""), "0123456789") {
						t.Errorf("a figure where none may be: %s", text)
					}
					if !say.names && strings.Contains(text, "worker") {
						t.Errorf("a node's name where none may be: %s", text)
					}
				}
			}
		}
	}
	golden(t, "waiting.txt", out.String())
}

// In every mode the same is said, and the figures are those of the node as it is.
func TestWhatIsSaidOfPodsThatWait(t *testing.T) {
	const said = "image storage: needs 100; pods of this namespace that wait for a node leave less on each of 2 eligible nodes before pods are evicted (at best 50)"
	for _, m := range []policy.Mode{policy.Audit, policy.Warn, policy.Enforce} {
		l := world(node{name: "a", capacity: 1000, available: 300}, node{name: "b", capacity: 1000, available: 250})
		registry(t, l, map[string]int64{"app": 100, "w1": 100, "w2": 100})
		wait(t, l, "w1")
		wait(t, l, "w2")
		p := enforcing()
		p.Mode, p.NodePools[0].Elastic = m, policy.ElasticFalse
		d := Evaluate(l.Snapshot(), RequestOf(podOf("app")), p, epoch)
		action, message := map[policy.Mode]Action{policy.Audit: Allow, policy.Warn: Warn, policy.Enforce: Deny}[m], said
		if m == policy.Enforce {
			message += again
		}
		if d.Action != action || d.Message != message || !d.Waiting || d.Verdict != verdict.EvictsPods {
			t.Errorf("%s: %s, %s: %s", m, d.Action, d.Verdict, d.Message)
		}
		if d.Best.Node != "a" || d.Need.Low != 100 || d.Best.Projected.High != 200 {
			t.Errorf("%s: on %s needs %+v, then %+v", m, d.Best.Node, d.Need, d.Best.Projected)
		}
	}
}
