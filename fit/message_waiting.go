// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fit

import (
	"fmt"

	"github.com/headroom-dev/headroom/estimate"
)

// again is for whoever is refused for what passes by itself.
const again = "; try again in a minute"

// behindOthers is for a pod that would fit, but for pods of its namespace that wait for a node.
func (w sentences) behindOthers(s *survey) string {
	t, limit := &s.possible, limits[s.policy.DenyAt.Severity()]
	if !s.total.evicts {
		limit = "before the disk is full"
	}
	need, left := s.total.need, room{amount{*s.left, true}, true}
	if left.bytes >= need.bytes {
		left.bytes = need.bytes // which reads "slightly less"
	}
	where, least := fmt.Sprintf("each of %d eligible nodes", t.nodes), "at least "
	switch {
	case t.nodes == 1:
		where = w.single(t, false)
	case !w.numbers:
		where = "every eligible node"
	}
	if need.exact {
		least = ""
	}
	if !w.numbers {
		return w.line("pods of this namespace that wait for a node leave too little on %s %s", where, limit)
	}
	return w.line("needs %s%s; pods of this namespace that wait for a node leave less on %s %s (%s)",
		least, estimate.Format(need.bytes), where, limit, w.best(left, need))
}
