// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fit

import (
	"time"

	"github.com/headroom-dev/headroom/policy"
)

// The policy's exceptions turn a refusal or a warning into an admission, and never anything else: they are looked up once
// the answer is there. What they are held against is the same for every pod of a kind, whichever node is the best one just
// now: the images that are not on all possible nodes, and the likely need where the pod needs most. An allowance is a promise
// to the other tenants of each of those nodes; the likely need is the figure that warnings show, so that it can be set by
// them. The bytes of an image of unknown size are not known to exceed anything.

// except lets the pod through where the policy excepts it. Where no stronger action than Allow was taken because of the
// mode, it only says what would be excepted.
func (s *survey) except(d *Decision, say sentences, now time.Time) {
	if !s.objects && len(d.WaitFor) == 0 {
		return
	}
	e, exceeded := s.exception(now)
	switch {
	case e == nil:
		if s.objects && exceeded != nil {
			d.Exceeded = exceeded.Name
		}
		return
	case e.AllowanceBytes <= 0:
		// No size could make a difference.
		d.WaitFor, d.WaitPlatforms = nil, nil
	}
	if s.objects {
		d.Action, d.Reason, d.CauseCode, d.Exception = Allow, Excepted, "", e.Name
		d.Message = say.excepted(e, d.Message)
	}
}

// exception returns the first exception that the pod keeps to, nil for none, and the first one whose allowance it exceeds.
func (s *survey) exception(now time.Time) (kept, exceeded *policy.Exception) {
	if len(s.policy.Exceptions) == 0 {
		return nil, nil
	}
	r := s.request
	for _, e := range s.policy.ExceptionsFor(r.Namespace, r.Labels, s.marked(s.missing), now) {
		switch {
		case e.Covers(s.mostNeeded):
			return e, exceeded
		case exceeded == nil:
			exceeded = e
		}
	}
	return nil, exceeded
}
