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

// figures are one scenario on one node: every estimate at the same bound. Bytes, but for the inodes.
type figures struct {
	need, available, reclaimable int64
	// peak is on the disk besides while the images are pulled. noticed is what of it the kubelet is taken to see: it looks
	// every ten seconds.
	peak, noticed int64
	// capacity, gcLine, evictionLine and evictionTarget are as in ledger.Account.
	capacity, gcLine, evictionLine, evictionTarget int64
	// inodes are needed, inodesFree are left, and with less than inodeLine the kubelet reports disk pressure.
	inodes, inodesFree, inodeLine int64
}

// optimistic returns the figures when every unknown turns out in the pod's favour.
func optimistic(d demand, a *ledger.Account) figures {
	f := figuresOf(a)
	f.need, f.available, f.peak = d.need.Low, a.Available.High, max(d.peak.Low, 0)
	// Without an eviction line it is only the periodic garbage collection that may trim images in time.
	if f.evictionLine > 0 || f.gcLine > 0 {
		f.reclaimable = max(a.Reclaimable.High, 0)
	}
	return f
}

// likely returns the figures at the most likely values, with a margin taken from what is available.
func likely(d demand, margin int64, a *ledger.Account) figures {
	f := figuresOf(a)
	f.need, f.available, f.peak = d.need.Likely, estimate.SaturatingSub(a.Available.Likely, margin), max(d.peak.Likely, 0)
	f.noticed, f.inodes = f.peak, max(d.inodes, 0)
	// Without an eviction line nothing is freed while a pull goes on: the garbage collection runs every five minutes.
	if f.evictionLine > 0 {
		f.reclaimable = max(a.Reclaimable.Likely, 0)
	}
	return f
}

// figuresOf returns what is the same at every bound.
func figuresOf(a *ledger.Account) figures {
	line := max(a.EvictionLineBytes, 0)
	return figures{
		capacity: a.CapacityBytes, gcLine: max(a.GCLineBytes, 0), evictionLine: line, evictionTarget: max(a.EvictionTargetBytes, line),
		inodesFree: a.InodesFree, inodeLine: max(a.InodeLine, 0),
	}
}

// verdict returns what happens on the node. The first condition that holds counts, so that it is also defined where an
// eviction line above the GC line makes two of them hold. Exactly on a line is still on its good side, because the kubelet
// acts on less than a line; a need of zero is never NeverFits.
//
// A kubelet that has no eviction line for this disk never reports disk pressure and evicts no pod: between the GC line and
// a full disk there is nothing. Below the GC line it trims images, and there is room for what that frees; with garbage
// collection off, too, nothing is ever freed.
//
// Being short of inodes is disk pressure, and no more: nobody knows how many of them a reclaim frees.
func (f figures) verdict() verdict.Verdict {
	if v := f.ofBytes(); v.AtLeast(verdict.PressuresDisk) || !f.shortOfInodes() {
		return v
	}
	return verdict.PressuresDisk
}

func (f figures) ofBytes() verdict.Verdict {
	projected := estimate.SaturatingSub(f.available, f.need)
	seen := estimate.SaturatingSub(projected, f.noticed)
	pressure := !f.lineless() && seen < f.evictionLine
	switch {
	case f.need > 0 && f.need > f.room(verdict.NeverFits):
		return verdict.NeverFits
	case f.need >= f.full():
		return verdict.FillsDisk
	case pressure && estimate.SaturatingAdd(seen, f.reclaimable) < f.evictionTarget:
		return verdict.EvictsPods
	case pressure:
		return verdict.PressuresDisk
	case projected < f.gcLine:
		return verdict.TriggersGC
	default:
		return verdict.Fits
	}
}

// lineless reports whether the kubelet has no eviction line for this disk.
func (f figures) lineless() bool { return f.evictionLine <= 0 }

// full is the need with which the disk is full while the images are pulled, with all freed that can be.
func (f figures) full() int64 {
	return estimate.SaturatingSub(estimate.SaturatingAdd(f.available, f.reclaimable), f.peak)
}

func (f figures) shortOfInodes() bool {
	return f.inodeLine > 0 && estimate.SaturatingSub(f.inodesFree, f.inodes) < f.inodeLine
}

// room returns how many bytes a pod may need before v happens here. For Fits, which is nothing that happens, it is the room
// before TriggersGC. It may be negative.
func (f figures) room(v verdict.Verdict) int64 {
	// More than an empty disk holds is an error of the estimates.
	empty := estimate.SaturatingSub(f.capacity, f.evictionLine)
	if v == verdict.NeverFits || v == verdict.Unknown {
		return empty
	}
	return min(f.open(v), empty)
}

// open is the room by what is available, whatever the disk's size.
func (f figures) open(v verdict.Verdict) int64 {
	full, pressure := f.full(), f.full()
	seen := estimate.SaturatingSub(f.available, f.noticed)
	if !f.lineless() {
		pressure = estimate.SaturatingSub(seen, f.evictionLine)
	}
	room := full
	switch v {
	case verdict.Fits, verdict.TriggersGC:
		room = min(pressure, estimate.SaturatingSub(f.available, f.gcLine))
	case verdict.PressuresDisk:
		room = pressure
	case verdict.EvictsPods:
		if !f.lineless() {
			// Where a reclaim would not even make up for its minimum, the line is what counts.
			room = max(pressure, estimate.SaturatingSub(estimate.SaturatingAdd(seen, f.reclaimable), f.evictionTarget))
		}
	case verdict.FillsDisk, verdict.NeverFits, verdict.Unknown:
	}
	if f.shortOfInodes() && verdict.PressuresDisk.AtLeast(v) {
		room = min(room, 0)
	}
	return min(room, full)
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
func judge(name string, a *ledger.Account, d demand, margin int64, warnAt, denyAt verdict.Verdict) NodeResult {
	result := NodeResult{Node: name, Need: d.need, Account: *a, Projected: a.Available.Minus(d.need)}
	if d.need.IsZero() && !d.unsized {
		result.Optimistic, result.LikelyVerdict = verdict.Fits, verdict.Fits
		return result
	}
	if result.Why = blind(a); result.Why != "" {
		result.Optimistic, result.LikelyVerdict = verdict.Unknown, verdict.Unknown
		return result
	}
	result.Optimistic = optimistic(d, a).ofPod()
	if a.Old && result.Optimistic.AtLeast(denyAt) {
		result.Optimistic, result.Why = verdict.Unknown, StaleSample
	}
	result.LikelyVerdict = likely(d, margin, a).ofPod()
	// The images whose size is known may be bad enough; otherwise the others decide.
	if d.unsized && !result.LikelyVerdict.AtLeast(warnAt) {
		result.LikelyVerdict, result.Why = verdict.Unknown, UnknownSize
	}
	return result
}

// isExact reports whether it is known exactly what there is on a node for images.
func isExact(a *ledger.Account) bool {
	return a.Available.IsExact() && a.Reclaimable.IsExact() && !a.Old
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
		result.Optimistic = optimistic(demand{}, &a).verdict()
		result.LikelyVerdict = likely(demand{}, p.SafetyMargin.Of(a.CapacityBytes), &a).verdict()
	}
	return result
}

// Accounts returns what draws up the accounts of many nodes of a snapshot, as [Now] does, by a policy; nil is the default one. It
// is for one goroutine.
func Accounts(s *ledger.Snapshot, p *policy.Policy, now time.Time) *ledger.Accounts {
	if p == nil {
		p = policy.Default()
	}
	return s.Accounts(view(newSizes(s, p, nil), p, now))
}
