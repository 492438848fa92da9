// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fit

import (
	"time"

	"github.com/headroom-dev/headroom/ledger"
	"github.com/headroom-dev/headroom/policy"
)

// Evaluate is [Evaluate] on the snapshot and by the policy that the fleet was made of.
func (f *Fleet) Evaluate(r Request, now time.Time) Decision {
	d, say := undecided(f.snapshot, &r, f.policy)
	if d.Reason != "" {
		return d
	}
	c := scans.Get().(*scan) //nolint:forcetypeassert // nothing else is put there
	defer c.end()
	if !c.begin(f, &r, now) {
		return Evaluate(f.snapshot, r, f.policy, now)
	}
	if c.audience.possibleCount == 0 {
		d.Reason = NoCandidate
		d.Message = say.undecided(&d, &r)
		return d
	}
	if c.recall(&d) {
		return d
	}
	c.compare()
	v, whole := c.survey()
	if !whole {
		return Evaluate(f.snapshot, r, f.policy, now)
	}
	say.kept = f.memo.said
	v.decide(&d, say)
	v.except(&d, say, now)
	c.remember(&d)
	return d
}

// Of reports whether the fleet is of that snapshot and policy.
func (f *Fleet) Of(s *ledger.Snapshot, p *policy.Policy) bool {
	return f != nil && f.snapshot == s && f.policy == p
}

// fits reports whether the request is one that what is known for nobody says enough about: not for one that
// every node gets a pod of, or whose node is chosen, and not where the pod itself is known, or where pods of its namespace are sure to go to certain nodes.
func (f *Fleet) fits(r *Request) bool {
	if r.Workload != nil && r.Workload.EveryNode || r.NotOn != nil || r.nodeName() != "" || len(r.Images) > maxImages {
		return false
	}
	if f.waits[r.Namespace].certain {
		return false
	}
	if r.UID != "" {
		if _, unbound := f.snapshot.UnboundPod(r.UID); unbound {
			return false
		}
		if _, bound := f.awaited[r.UID]; bound {
			return false
		}
	}
	return true
}
