// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fit

import (
	"time"

	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/ledger"
	"github.com/headroom-dev/headroom/policy"
)

// Evaluator binds [Evaluate] to a live ledger and policy. All its fields must be safe for concurrent use; a nil one makes
// every decision the one that Evaluate gives for a missing argument.
type Evaluator struct {
	Snapshot func() *ledger.Snapshot
	Policy   func() *policy.Policy
	Clock    func() time.Time
	// Fleet is of a snapshot that may be a moment older than Snapshot's: nil, or a nil one, where all nodes are to be looked at.
	Fleet func() *Fleet
}

// maxBehind is how old a fleet may be that pods are judged by, when the ledger has changed since. It is seldom a tenth of a second.
// Where processors are so short that it is more, to look at all nodes for each pod would take what is left of them, and be
// no fresher when it is done.
const maxBehind = 10 * time.Second

// Evaluate decides about one pod by what is known now.
func (e Evaluator) Evaluate(r Request) Decision {
	s, now := e.moment()
	p := e.policy()
	if e.Fleet != nil && s != nil {
		if f := e.Fleet(); f.answers(s, p, &r, now) {
			return f.Evaluate(r, now)
		}
	}
	return Evaluate(s, r, p, now)
}

// answers reports whether the fleet is as good as the snapshot for that request: it may be a moment behind, but not in what is
// known of the sizes of the request's images. Who has waited for one wants to see it.
func (f *Fleet) answers(s *ledger.Snapshot, p *policy.Policy, r *Request, now time.Time) bool {
	switch {
	case f == nil || f.policy != p:
		return false
	case f.snapshot == s:
		return true
	case now.UnixNano()-f.built > int64(maxBehind):
		return false
	default:
		return s.SameSizes(f.snapshot) || f.knows(s, r.Images)
	}
}

// knows reports whether the snapshot tells nothing else of the images' sizes.
func (f *Fleet) knows(s *ledger.Snapshot, images []imageref.Image) bool {
	for i := range images {
		for _, key := range f.classes {
			if !s.SameSize(f.snapshot, images[i].Ref, key.runtime, key.platform, key.poolKey()) {
				return false
			}
		}
	}
	return true
}

func (e Evaluator) policy() *policy.Policy {
	if e.Policy == nil {
		return nil
	}
	return e.Policy()
}

// Freeze returns a function that decides by any policy, as often as it is called, on what is known now.
func (e Evaluator) Freeze() func(Request, *policy.Policy) Decision {
	s, now := e.moment()
	return func(r Request, p *policy.Policy) Decision { return Evaluate(s, r, p, now) }
}

func (e Evaluator) moment() (*ledger.Snapshot, time.Time) {
	if e.Snapshot == nil || e.Clock == nil {
		return nil, time.Time{}
	}
	return e.Snapshot(), e.Clock()
}
