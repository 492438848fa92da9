// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fit

import (
	"time"

	"github.com/headroom-dev/headroom/ledger"
	"github.com/headroom-dev/headroom/placement"
)

// othersJudged is how many nodes that could take a pod are judged at most before none is said to do in place of the chosen one.
// Where one in fifty would, so many find it all but once in fifty times; and all of a large cluster would take longer than a
// scheduler may have to wait that binds hundreds of pods in a second.
const othersJudged = 200

// otherNode names a node besides target that would do, empty where none was found. It begins at another one each moment, for
// else every pod would be held against the same ones.
func (s *survey) otherNode(target *ledger.NodeRow, now time.Time) string {
	startup, mildest, judged := startupTaints(s.policy), warnAt(s.policy), 0
	for row := range s.snapshot.Scattered(uint64(now.UnixNano())) {
		if row.Name == target.Name || row.DiskPressure {
			continue
		}
		if _, avoided := placement.SoftTaintSince(row.Taints); avoided {
			continue
		}
		if _, ready := s.lands(row, startup); !ready {
			continue
		}
		if judged++; judged > othersJudged {
			break
		}
		result, _, _ := s.judge(row, s.sizes.classOf(row), mildest)
		if v := result.LikelyVerdict; v.Severity() >= 0 && !v.AtLeast(mildest) {
			return row.Name
		}
	}
	return ""
}
