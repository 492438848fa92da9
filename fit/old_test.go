// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fit

import (
	"strings"
	"testing"
	"time"

	"github.com/headroom-dev/headroom/verdict"
)

// A sample of a node that had much room is used for longer: it warns, says "about", and refuses nothing. The node's
// eviction line is at 150 GiB, so that the sample lasts four times as long as one of a node near it.
func TestOldSamplesWarnAndNeverRefuse(t *testing.T) {
	const gib = 1 << 30
	aged := func(name string, age time.Duration) node {
		return node{name: name, capacity: 1000 * gib, available: 600 * gib, age: age}
	}
	fresh, old, stale := aged("fresh", time.Second), aged("old", 6*time.Minute), aged("stale", 6*time.Minute+time.Second)
	huge, never := map[string]int64{"app": 500 * gib}, map[string]int64{"app": 900 * gib}
	run(t, map[string]situation{
		"a fresh one refuses":                      {nodes: []node{fresh}, registry: huge, action: Deny, verdict: verdict.EvictsPods},
		"an old one warns":                         {nodes: []node{old}, registry: huge, action: Warn, verdict: verdict.EvictsPods, reason: StaleSample},
		"one of several warns":                     {nodes: []node{fresh, old}, registry: huge, action: Warn, verdict: verdict.EvictsPods, reason: StaleSample},
		"an old one even for what never fits":      {nodes: []node{old}, registry: never, action: Warn, verdict: verdict.NeverFits, reason: StaleSample},
		"an old one of a node on which it fits":    {nodes: []node{old}, registry: map[string]int64{"app": 400 * gib}, action: Allow, verdict: verdict.Fits},
		"an older one says nothing":                {nodes: []node{stale}, registry: huge, action: Allow, verdict: verdict.Unknown, reason: StaleSample},
		"nor of a node on which it would fit":      {nodes: []node{stale}, registry: map[string]int64{"app": 400 * gib}, action: Allow, verdict: verdict.Unknown, reason: StaleSample},
		"an old one, and a size that nobody knows": {nodes: []node{old}, registry: map[string]int64{"b": 1}, action: Allow, verdict: verdict.Unknown, reason: UnknownSize},
	})
	d := (&situation{nodes: []node{old}, registry: huge}).evaluate(t)
	if !strings.Contains(d.Message, "~450Gi") {
		t.Errorf("an old sample is told as if it were exact: %s", d.Message)
	}
	if d := (&situation{nodes: []node{old}, registry: map[string]int64{}}).evaluate(t); len(d.WaitFor) != 0 {
		t.Error("a size is waited for that can't lead to a refusal")
	}
}
