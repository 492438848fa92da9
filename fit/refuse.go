// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fit

import "slices"

// The rule for refusing: on every node that the pod could ever land on, even the optimistic bound is at or past denyAt. An
// Unknown is at no threshold, so one of them admits. Where an autoscaler may add nodes, a new and empty one must be too
// small as well: a pod that is refused is a pod that the autoscaler never sees.

// overloadsAll reports whether every possible node is too full, or will be once those have come that wait, and whether a new
// node of some elastic pool may hold the pod nevertheless.
func (s *survey) overloadsAll() (overloads, newNode bool) {
	if !s.possible.all() && s.left == nil {
		return false, false
	}
	return true, s.newNodeHolds(false)
}

// refusedIfHuge reports whether the pod would be refused if every image that nobody told the size of were larger than any
// disk, and is not refused as it is.
func (s *survey) refusedIfHuge() bool {
	if s.huge == nil {
		s.huge = new(s.dependsOnSize())
	}
	return *s.huge
}

func (s *survey) dependsOnSize() bool {
	if s.pastIfHuge < s.possible.nodes && s.left == nil {
		return false
	}
	overloads, newNode := s.overloadsAll()
	if overloads && !newNode || s.newNodeHolds(true) {
		return false
	}
	if newNode {
		s.waitForNewNode()
	}
	return slices.Contains(s.waitFor, true)
}
