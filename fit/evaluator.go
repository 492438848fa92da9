// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fit

import (
	"time"

	"github.com/headroom-dev/headroom/ledger"
	"github.com/headroom-dev/headroom/policy"
)

// Evaluator binds [Evaluate] to a live ledger and policy. All its fields must be safe for concurrent use; a nil one makes
// every decision the one that Evaluate gives for a missing argument.
type Evaluator struct {
	Snapshot func() *ledger.Snapshot
	Policy   func() *policy.Policy
	Clock    func() time.Time
}

// Evaluate decides about one pod by what is known now.
func (e Evaluator) Evaluate(r Request) Decision {
	s, now := e.moment()
	return Evaluate(s, r, e.policy(), now)
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
