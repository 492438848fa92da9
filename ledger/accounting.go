// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"github.com/headroom-dev/headroom/estimate"
	"github.com/headroom-dev/headroom/imagesize"
)

// accountant draws up one account.
type accountant struct {
	*Accounts

	node   *NodeRow
	row    *row
	kind   *kind
	result Account
	// drawn is set where all images that are on their way are ahead.
	drawn bool
	// ahead are the images that are on their way to the node, and unsampled the
	// entries of its list that no sample has seen: they are among them.
	ahead     []coming
	unsampled []int
	// listed are the images of the list whose layers are known, without those: nil as long as nobody has asked.
	listed []listedImage
}

// disk finds the tier, the capacity, what is measured and the lines.
func (a *accountant) disk() {
	r := &a.result
	r.Tier, r.LinesAssumed = NoTier, a.row.lines.Assumed
	shared := false
	if m := a.row.measurement; m != nil {
		r.SampleAge = max(m.AgeAtReceipt+a.view.Now.Sub(m.ReceivedAt), 0)
		r.Old, r.Stale = a.ageOf(m)
		shared = m.SharedWithNodeFS
		if !r.Stale {
			r.Tier, r.CapacityBytes = Measured, m.CapacityBytes
			r.Measured = estimate.Exactly(m.AvailableBytes)
			r.Inodes, r.InodesFree = m.Inodes, m.InodesFree
		}
	}
	if r.Tier != Measured {
		if a.view.DeclaredBytes != nil {
			r.CapacityBytes = max(a.view.DeclaredBytes(a.node), 0)
		}
		switch {
		case r.CapacityBytes > 0:
			r.Tier = Declared
		case a.node.EphemeralStorageBytes > 0:
			// ephemeral-storage is the disk of the kubelet's root: if images are
			// on it, so is nodefs.
			r.Tier, r.CapacityBytes, shared = Assumed, a.node.EphemeralStorageBytes, true
		default:
			return
		}
	}
	r.GCLineBytes = a.row.lines.GCLineBytes(r.CapacityBytes)
	r.EvictionLineBytes = a.row.lines.EvictionLineBytes(r.CapacityBytes, shared)
	r.EvictionTargetBytes = a.row.lines.EvictionTargetBytes(r.CapacityBytes, shared)
	r.InodeLine = a.row.lines.InodeLine(r.Inodes, shared)
}

// ageOf says whether a sample is older than it should be, and whether too old for how
// much room there was.
func (a *accountant) ageOf(m *Measurement) (old, stale bool) {
	limit := a.view.MaxStaleness
	if limit <= 0 || a.result.SampleAge <= limit {
		return false, false
	}
	stale = a.result.SampleAge > a.view.staleAfter(m, *a.row.lines)
	return !stale, stale
}

// fromList estimates what is available from the images listed: they may share all
// layers with the largest one, or none, and others may use the rest of the disk.
func (a *accountant) fromList() estimate.Bytes {
	largest, total := int64(0), int64(0)
	for i := range a.row.list.images {
		disk := a.listedSize(i)
		largest = max(largest, disk.Low)
		total = estimate.SaturatingAdd(total, disk.Likely)
	}
	capacity := a.result.CapacityBytes
	high := max(capacity-largest, 0)
	return estimate.Between(0, min(max(estimate.SaturatingSub(capacity, total), 0), high), high)
}

// listedSize is what an entry of the node's list takes on its disk.
func (a *accountant) listedSize(i int) estimate.Bytes {
	number := a.row.list.images[i].number
	if number < 0 {
		// It has no name that anybody could know it by.
		reported := imagesize.Evidence{Reported: estimate.Exactly(a.row.list.images[i].ReportedBytes)}
		return reported.OnDisk(a.node.Runtime, nil).Disk.AtLeastZero()
	}
	if a.single {
		return a.size(a.row.list.images[i].Refs[0]).Disk
	}
	size := a.kind.listed.at(number)
	if !size.known {
		size.disk, size.known = a.size(a.row.list.images[i].Refs[0]).Disk, true
	}
	return size.disk
}

// reclaimable finds what the eviction manager could free: the layers that only images
// have which no pod uses that is not finished, and images whose layers are not known.
func (a *accountant) reclaimable() {
	h := a.s.holdingsOf(a.row)
	freed := h.freed
	var low, likely, high int64
	if freed != nil && freed.most != (imagesize.Stored{}) {
		least, most := a.stored(freed.least), a.stored(freed.most)
		low, likely, high = least.Low, most.Likely, most.High
	}
	for i := range a.row.list.images {
		if h.inUse.has(i) || h.layers(i) != nil {
			continue
		}
		disk := a.listedSize(i)
		likely = estimate.SaturatingAdd(likely, disk.Likely)
		high = estimate.SaturatingAdd(high, disk.High)
	}
	if a.row.lines.keepsYoung() {
		low = 0
	}
	used := max(a.result.CapacityBytes-a.result.Measured.Low, 0)
	if a.node.ListCut() {
		high = used
	}
	high = min(high, used)
	a.result.Reclaimable = estimate.Between(min(low, high), min(likely, high), high)
}
