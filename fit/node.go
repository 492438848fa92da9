// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fit

import (
	"time"

	"github.com/headroom-dev/headroom/estimate"
	"github.com/headroom-dev/headroom/ledger"
	"github.com/headroom-dev/headroom/policy"
	"github.com/headroom-dev/headroom/verdict"
)

// figures are one scenario on one node: every estimate at the same bound. Bytes.
type figures struct {
	need, available, reclaimable int64
	// capacity, gcLine and evictionLine are as in ledger.Account.
	capacity, gcLine, evictionLine int64
}

// optimistic returns the figures when every unknown turns out in the pod's favour.
func optimistic(need int64, a *ledger.Account) figures {
	return figures{
		need: need, available: a.Available.High, reclaimable: max(a.Reclaimable.High, 0),
		capacity: a.CapacityBytes, gcLine: max(a.GCLineBytes, 0), evictionLine: max(a.EvictionLineBytes, 0),
	}
}

// likely returns the figures at the most likely values, with a margin taken from what is available.
func likely(need, margin int64, a *ledger.Account) figures {
	return figures{
		need: need, available: estimate.SaturatingSub(a.Available.Likely, margin), reclaimable: max(a.Reclaimable.Likely, 0),
		capacity: a.CapacityBytes, gcLine: max(a.GCLineBytes, 0), evictionLine: max(a.EvictionLineBytes, 0),
	}
}

// verdict returns what happens on the node. The first condition that holds counts, so that it is also defined where an
// eviction line above the GC line makes two of them hold. Exactly on a line is still on its good side, because the kubelet
// acts on less than a line; a need of zero is never NeverFits.
func (f figures) verdict() verdict.Verdict {
	projected := estimate.SaturatingSub(f.available, f.need)
	afterReclaim := estimate.SaturatingAdd(projected, f.reclaimable)
	switch {
	case f.need > 0 && f.need > f.room(verdict.NeverFits):
		return verdict.NeverFits
	case projected >= f.evictionLine && projected >= f.gcLine:
		return verdict.Fits
	case projected >= f.evictionLine:
		return verdict.TriggersGC
	case afterReclaim >= f.evictionLine:
		return verdict.PressuresDisk
	case afterReclaim > 0:
		return verdict.EvictsPods
	default:
		return verdict.FillsDisk
	}
}

// room returns how many bytes a pod may need before v happens here. For Fits, which is nothing that happens, it is the room
// before TriggersGC. It may be negative.
func (f figures) room(v verdict.Verdict) int64 {
	empty := estimate.SaturatingSub(f.capacity, f.evictionLine)
	room := empty
	switch v {
	case verdict.Fits, verdict.TriggersGC:
		room = estimate.SaturatingSub(f.available, max(f.gcLine, f.evictionLine))
	case verdict.PressuresDisk:
		room = estimate.SaturatingSub(f.available, f.evictionLine)
	case verdict.EvictsPods:
		room = estimate.SaturatingSub(estimate.SaturatingAdd(f.available, f.reclaimable), f.evictionLine)
	case verdict.FillsDisk:
		room = estimate.SaturatingAdd(f.available, f.reclaimable)
	case verdict.NeverFits, verdict.Unknown:
	}
	// More than an empty disk holds is an error of the estimates.
	return min(room, empty)
}

// blind returns why there is no opinion about a node with this account, empty when there can be one.
func blind(a *ledger.Account) Reason {
	switch {
	case a.Stale:
		return StaleSample
	case a.Tier != ledger.Measured && a.Tier != ledger.Declared, a.CapacityBytes <= 0:
		return NotMeasured
	default:
		return ""
	}
}

// judge returns the numbers and verdicts of one node for a pod that demands d there.
func judge(name string, a *ledger.Account, d demand, margin int64, warnAt verdict.Verdict) NodeResult {
	result := NodeResult{Node: name, Need: d.need, Account: *a, Projected: a.Available.Minus(d.need)}
	if d.need.IsZero() && !d.unsized {
		result.Optimistic, result.LikelyVerdict = verdict.Fits, verdict.Fits
		return result
	}
	if result.Why = blind(a); result.Why != "" {
		result.Optimistic, result.LikelyVerdict = verdict.Unknown, verdict.Unknown
		return result
	}
	result.Optimistic = optimistic(d.need.Low, a).ofPod()
	result.LikelyVerdict = likely(d.need.Likely, margin, a).ofPod()
	// The images whose size is known may be bad enough; otherwise the others decide.
	if d.unsized && !result.LikelyVerdict.AtLeast(warnAt) {
		result.LikelyVerdict, result.Why = verdict.Unknown, UnknownSize
	}
	return result
}

// ofPod is the verdict about a pod with these figures: one that adds nothing changes nothing.
func (f figures) ofPod() verdict.Verdict {
	if f.need <= 0 {
		return verdict.Fits
	}
	return f.verdict()
}

// Now returns the node as it is, without any pod being judged: its need is zero, and its verdicts are what happens there
// anyway. A nil row gives an Unknown.
func Now(s *ledger.Snapshot, row *ledger.NodeRow, p *policy.Policy, now time.Time) NodeResult {
	if s == nil || row == nil {
		return NodeResult{Optimistic: verdict.Unknown, LikelyVerdict: verdict.Unknown, Why: UnknownNode}
	}
	if p == nil {
		p = policy.Default()
	}
	a := s.Account(row, view(newSizes(s, p, nil), p, now))
	result := NodeResult{
		Node: row.Name, Account: a, Projected: a.Available, Likely: row.Ready && !row.Unschedulable,
		Optimistic: verdict.Unknown, LikelyVerdict: verdict.Unknown,
	}
	if result.Why = blind(&a); result.Why == "" {
		result.Optimistic = optimistic(0, &a).verdict()
		result.LikelyVerdict = likely(0, p.SafetyMargin.Of(a.CapacityBytes), &a).verdict()
	}
	return result
}
