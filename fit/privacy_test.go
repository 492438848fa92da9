// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fit

import (
	"strings"
	"testing"

	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/ledger"
	"github.com/headroom-dev/headroom/policy"
	"github.com/headroom-dev/headroom/verdict"
)

// answer is what a request gets besides its sentence.
type answer struct {
	action  Action
	verdict verdict.Verdict
	// refused says of a template that its pods would be.
	refused bool
	// reason is what an admission's sentence may tell besides, which no tenant is shown.
	reason Reason
}

func answerOf(s *ledger.Snapshot, r Request, p *policy.Policy) (answer, Decision) {
	d := Evaluate(s, r, p, epoch)
	a := answer{action: d.Action, verdict: d.Verdict}
	if d.Action == Allow {
		a.reason = d.Reason
	}
	if r.Workload != nil {
		r.Workload = nil
		a.refused = Evaluate(s, r, p, epoch).Action == Deny
	}
	return a, d
}

// Without figures, a sentence has no digit but those of the pod's own image names, and doesn't tell whether an image of the
// pod is on a node already, for whomever: where that makes no other answer, it makes no other sentence.
func TestSentencesWithoutFiguresTellNothingOfOthers(t *testing.T) {
	compared, needs, seen := 0, 0, map[Action]int{}
	for seed := range uint64(worlds / 2) {
		// Two worlds that differ in one image on one node.
		here, there := chanceOf(seed), chanceOf(seed)
		nodes, others := here.nodes(), there.nodes()
		if len(nodes) == 0 {
			continue
		}
		which, image := here.IntN(len(nodes)), imageOf(here.IntN(6)).String()
		there.IntN(len(nodes))
		there.IntN(6)
		if _, has := others[which].images[image]; has {
			delete(others[which].images, image)
		} else {
			others[which].images[image] = 100
		}
		l, changed := here.ledger(nodes), there.ledger(others)
		p := here.policy()
		p.Messages = policy.Messages{}
		r, _ := here.request()
		switch here.IntN(4) {
		case 0:
			r.Workload = &Workload{Kind: "Deployment", Replicas: 1 + here.IntN(4)}
		case 1:
			r.Workload = &Workload{Kind: "DaemonSet", EveryNode: true}
		}
		a, d := answerOf(l.Snapshot(), r, p)
		b, e := answerOf(changed.Snapshot(), r, p)
		for _, text := range []string{d.Message, e.Message} {
			for _, own := range r.Images {
				text = strings.ReplaceAll(text, shown(own.Ref.Familiar()), "")
			}
			if strings.ContainsAny(text, "0123456789") {
				t.Fatalf("seed %d: a figure: %s", seed, text)
			}
		}
		if a != b {
			continue
		}
		compared++
		seen[a.action]++
		if d.Need != e.Need || d.Overloaded != e.Overloaded || d.Counts != e.Counts {
			needs++
		}
		if d.Message != e.Message {
			t.Errorf("seed %d: %s on node %d or not, with %v of %v\n%+v\n%s\n%s", seed, image, which, r.Workload, refsOf(r), a, d.Message, e.Message)
		}
	}
	if compared < worlds/4 || needs < worlds/40 || seen[Warn] < worlds/40 || seen[Deny] < worlds/400 {
		t.Errorf("only %d compared, of which %d see the difference: %v", compared, needs, seen)
	}
}

func refsOf(r Request) (refs []imageref.Ref) {
	for _, image := range r.Images {
		refs = append(refs, image.Ref)
	}
	return refs
}
