// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fit

import (
	"math"
	"slices"
	"sync/atomic"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/ledger"
	"github.com/headroom-dev/headroom/policy"
)

// ground is what is known of one version of a node's row whoever asks, up to a time. It never changes.
type ground struct {
	id ledger.RowID
	// serial tells it from all others of the fleets that come one from the other.
	serial uint64
	name   string
	key    classKey
	// account leaves out what is reserved: that changes with pods that wait, for all nodes at once.
	account standingAccount
	blind   Reason
	margin  int64
	// claimed is set where the account may be another one for some pod, see ledger.NodeRow.Concerns: then less may be likely to
	// come, or more be sure to. What is available at best is never less than what is likely, and never more than for nobody; so
	// that both are between what is likely and what is available at best for nobody. Unless gains is set, what is likely is the
	// same for all.
	claimed, gains bool
	// until is from when on another account may be true, in nanoseconds since 1970.
	until int64
	*concerns

	// autoscaled is set where the node's labels point to an autoscaler.
	autoscaled bool
}

// concerns are whom a claimed node may concern; nil for others.
type concerns struct {
	// awaited are the pods that it concerns in any case, namespaces and images those by which it may concern others.
	awaited    []types.UID
	namespaces []string
	images     []imageref.Ref
}

// surveyor finds out about nodes for nobody in particular.
type surveyor struct {
	snapshot *ledger.Snapshot
	policy   *policy.Policy
	now      time.Time
	sizes    *sizes
	accounts *ledger.Accounts
	serials  *atomic.Uint64 // the last one given
}

func newSurveyor(s *ledger.Snapshot, p *policy.Policy, now time.Time, serials *atomic.Uint64) *surveyor {
	return surveyorWith(nil, s, p, now, serials)
}

// surveyorWith is newSurveyor with sizes of the snapshot, nil for none.
func surveyorWith(z *sizes, s *ledger.Snapshot, p *policy.Policy, now time.Time, serials *atomic.Uint64) *surveyor {
	if z == nil {
		z = newSizes(s, p, nil)
	}
	from := view(z, p, now)
	from.Namespace, from.Listed = ledger.Nobody, &z.listed
	return &surveyor{snapshot: s, policy: p, now: now, sizes: z, accounts: s.Accounts(from), serials: serials}
}

// ground finds out about a node, of which before, nil for nothing, was known by the same policy.
func (v *surveyor) ground(row *ledger.NodeRow, before *ground) *ground {
	account := v.accounts.Standing(row)
	g := &ground{
		id: row.ID(), serial: v.serials.Add(1), name: row.Name, account: standingAccountOf(&account), claimed: row.Claimed(), until: math.MaxInt64,
	}
	if before != nil && before.id.TellsNodeOf(g.id) {
		g.key, g.autoscaled = before.key, before.autoscaled
	} else {
		g.key, g.autoscaled = classKeyOf(row, v.policy), autoscaledBy(row)
	}
	if g.claimed {
		namespaces, images := row.ClaimedFor()
		g.concerns, g.gains = &concerns{slices.Collect(row.Awaited()), namespaces, images}, v.accounts.Gains(row)
	}
	g.blind, g.margin = blind(&account), v.policy.SafetyMargin.Of(account.CapacityBytes)
	if until := v.accounts.StandsUntil(row); !until.IsZero() && until.Sub(v.now) < math.MaxInt64>>1 {
		g.until = v.now.Add(until.Sub(v.now)).UnixNano()
	}
	return g
}

// accountAt is the account with what is reserved, as of a time at which the ground holds.
func (g *ground) accountAt(s *ledger.Snapshot, reserved ledger.Reserved, now time.Time) ledger.Account {
	a := g.account.with(reserved)
	row := s.Row(g.id)
	a.SampleAge = ledger.AgeOf(&row, now)
	return a
}

// standing is a ground's keys with what is reserved.
type standing struct {
	reserved ledger.Reserved
	keys     [2]keys
	// sound is as of keysOf, exact as in tally.add.
	sound, exact bool
}

func (g *ground) standing(reserved ledger.Reserved) standing {
	s := standing{reserved: reserved}
	a := g.account.with(reserved)
	s.keys, s.sound = g.keysOf(&a)
	s.exact = isExact(&a)
	return s
}

func (g *ground) keysOf(a *ledger.Account) (all [2]keys, sound bool) {
	expected, best := likely(demand{}, g.margin, a), optimistic(demand{}, a)
	var soundToo bool
	all[likelyScenario], sound = keysOf(&expected)
	all[atBestScenario], soundToo = keysOf(&best)
	return all, sound && soundToo
}
