// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fit

import (
	"github.com/headroom-dev/headroom/estimate"
	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/ledger"
)

// standingAccount is an account without what is reserved and without the sample's age, in half of an account's memory: there is one
// for each node.
type standingAccount struct {
	Tier                                                               ledger.Tier
	CapacityBytes, GCLineBytes, EvictionLineBytes, EvictionTargetBytes int64
	Inodes, InodesFree, InodeLine                                      int64
	Measured, Reclaimable                                              estimate.Bytes
	Old, Stale, LinesAssumed                                           bool
	// unsampled is nil on most nodes.
	unsampled *unsampled
}

// unsampled are what images cost of which the sample has not seen all.
type unsampled struct {
	settled, pending estimate.Bytes
	pulling          []imageref.Ref
}

func standingAccountOf(a *ledger.Account) standingAccount {
	s := standingAccount{
		Tier: a.Tier, CapacityBytes: a.CapacityBytes, GCLineBytes: a.GCLineBytes, EvictionLineBytes: a.EvictionLineBytes, EvictionTargetBytes: a.EvictionTargetBytes,
		Inodes: a.Inodes, InodesFree: a.InodesFree, InodeLine: a.InodeLine,
		Measured: a.Measured, Reclaimable: a.Reclaimable, Old: a.Old, Stale: a.Stale, LinesAssumed: a.LinesAssumed,
	}
	if !a.Settled.IsZero() || !a.Pending.IsZero() || len(a.Pulling) > 0 {
		s.unsampled = &unsampled{a.Settled, a.Pending, a.Pulling}
	}
	return s
}

// with returns the account with what is reserved.
func (s *standingAccount) with(reserved ledger.Reserved) ledger.Account {
	a := ledger.Account{
		Tier: s.Tier, CapacityBytes: s.CapacityBytes, GCLineBytes: s.GCLineBytes, EvictionLineBytes: s.EvictionLineBytes, EvictionTargetBytes: s.EvictionTargetBytes,
		Inodes: s.Inodes, InodesFree: s.InodesFree, InodeLine: s.InodeLine,
		Measured: s.Measured, Reclaimable: s.Reclaimable, Old: s.Old, Stale: s.Stale, LinesAssumed: s.LinesAssumed,
	}
	if s.unsampled != nil {
		a.Settled, a.Pending, a.Pulling = s.unsampled.settled, s.unsampled.pending, s.unsampled.pulling
	}
	if a.Tier == ledger.NoTier {
		return a
	}
	return a.WithReserved(reserved.Bytes())
}
