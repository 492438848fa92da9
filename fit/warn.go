// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fit

// The rule for warning: on more than half of the nodes that could take the pod now, the likely value is at or past warnAt.
// Where even the best of them is, so are all. Nodes without an opinion count as nodes that are not.
//
// Where no node could take the pod now, because all are cordoned, not ready or busy, those that could ever take it stand in:
// it will have to go to one of them.

// scope returns the tally that warnings are about.
func (s *survey) scope() *tally {
	if s.ready.nodes > 0 {
		return &s.ready
	}
	return &s.ever
}

// majority reports whether more than half of the nodes are past the threshold.
func (t *tally) majority() bool { return t.past > t.nodes-t.past }
