// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"math"
	"time"
)

const (
	// nearBytes is how much room above its lines makes a node one that is near them, however large its disk is:
	// images of that size are ordinary.
	nearBytes = 10 << 30
	// nearShare is the same as a share of the capacity, or of all inodes: one in so many.
	nearShare = 10
	// maxPatience bounds Patience.
	maxPatience = 8
)

// Patience says how far a node was from its lines: how many times as long a sample of
// it may be used as one of a node that is near them, 1, 2, 4 or 8. It is the room
// above the highest line, in units of 10 GiB or a tenth of the capacity, whichever
// is more, and the same for inodes.
//
// What is pulled since the sample is known from pods, and counts wherever room
// does. What else has been written, or deleted, nobody knows: room makes that
// matter less, and never makes it known.
func (m Measurement) Patience(l Lines) int {
	line := max(l.GCLineBytes(m.CapacityBytes), l.EvictionLineBytes(m.CapacityBytes, m.SharedWithNodeFS))
	patience := timesNear(m.AvailableBytes-line, max(nearBytes, m.CapacityBytes/nearShare))
	if line := l.InodeLine(m.Inodes, m.SharedWithNodeFS); line > 0 {
		patience = min(patience, timesNear(m.InodesFree-line, max(m.Inodes/nearShare, 1)))
	}
	return patience
}

// timesNear returns the largest power of two by which near fits into room, from 1 to
// maxPatience.
func timesNear(room, near int64) int {
	times := 1
	for times < maxPatience && room/int64(2*times) >= near {
		times *= 2
	}
	return times
}

// staleAfter is the age above which a sample counts for nothing. The view has a MaxStaleness.
func (v *View) staleAfter(m *Measurement, l Lines) time.Duration {
	patience := time.Duration(m.Patience(l))
	if v.MaxStaleness >= math.MaxInt64/patience {
		return math.MaxInt64 - 1 // There is a moment after it.
	}
	return v.MaxStaleness * patience
}
