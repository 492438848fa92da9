// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/headroom-dev/headroom/placement"
)

const (
	// taintStays is how long a soft taint stays at least after the last binding that was sent back from the node. A pull, and
	// the sample that shows it, is over by then more often than not; if the node is still too full, the next binding says so.
	taintStays = 2 * time.Minute
	// taintRenewal is how old a taint may be and still need no new value when a further binding is sent back.
	taintRenewal = 30 * time.Second
	// taintLife is when a taint goes whose value does not change any more.
	taintLife = taintStays + taintRenewal
	// clockTolerance is how far the clock of who wrote a taint may be behind that of who finds it.
	clockTolerance = 5 * time.Minute
)

// softTaint is what this replica has seen of the soft taint on one node. The value is by the clock of whichever replica wrote
// it; all else is by this one's, and is all that matters for a taint whose coming was seen.
type softTaint struct {
	found bool
	// since is the value.
	since time.Time
	// seen is when this value was first seen, and came whether the node was known before without it.
	seen time.Time
	came bool
}

// next returns what there is to know of a taint after the node was found with taints at now. known is whether this is about a
// node that was known before.
func (s softTaint) next(taints []corev1.Taint, known bool, now time.Time) softTaint {
	since, found := placement.SoftTaintSince(taints)
	if !found {
		return softTaint{}
	}
	if known && s.found && s.since.Equal(since) {
		return s
	}
	return softTaint{found: true, since: since, seen: now, came: known}
}

// recent reports whether the taint is there and so young that everybody will leave it for taintStays.
func (s softTaint) recent(now time.Time) bool {
	return s.found && s.came && now.Sub(s.seen) < taintRenewal
}

// expired reports whether the taint is there and should not be. The value tells of a taint that was left behind, provided that
// no clock is that wrong; a value of the future tells nothing.
func (s softTaint) expired(now time.Time) bool {
	return s.found && (now.Sub(s.seen) >= taintLife || !s.came && now.Sub(s.since) >= taintLife+clockTolerance)
}
