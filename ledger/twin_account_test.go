// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package ledger_test

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/headroom-dev/headroom/estimate"
	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/imagesize"
	"github.com/headroom-dev/headroom/ledger"
)

// account draws up a node's account for the view; its Size is not asked.
func (t *twin) account(name string, v ledger.View, declared int64) ledger.Account {
	a, n := ledger.Account{Tier: ledger.NoTier}, t.at(name)
	lines := t.linesOf(name)
	a.LinesAssumed = lines.Assumed
	shared := n.sample != nil && n.sample.SharedWithNodeFS
	if n.sample != nil {
		a.SampleAge = n.sample.AgeAtReceipt + v.Now.Sub(n.sample.ReceivedAt)
		a.Stale = a.SampleAge > v.MaxStaleness
	}
	switch {
	case n.sample != nil && !a.Stale:
		a.Tier, a.CapacityBytes, a.Measured = ledger.Measured, n.sample.CapacityBytes, estimate.Exactly(n.sample.AvailableBytes)
	case declared > 0:
		a.Tier, a.CapacityBytes = ledger.Declared, declared
	case n.node.EphemeralStorageBytes > 0:
		a.Tier, a.CapacityBytes, shared = ledger.Assumed, n.node.EphemeralStorageBytes, true
	default:
		return a
	}
	if a.Tier != ledger.Measured {
		var largest, total int64
		for _, image := range n.node.Images {
			size := t.size(name, image.Refs[0]).Disk
			largest, total = max(largest, size.Low), total+size.Likely
		}
		high := max(a.CapacityBytes-largest, 0)
		a.Measured = estimate.Between(0, min(high, max(a.CapacityBytes-total, 0)), high)
	}
	if a.Tier == ledger.Measured {
		a.Inodes, a.InodesFree = n.sample.Inodes, n.sample.InodesFree
	}
	t.lines(lines, shared, &a)
	waiting, ahead := t.bound(name, v, &a)
	t.reserved(name, v, waiting, ahead, &a)
	t.reclaimable(name, lines, &a)
	a.Available = a.Measured.Minus(a.Settled).Minus(a.Pending).Minus(a.Reserved)
	return a
}

// part is one image's part in the bytes that a node has lost.
type part struct {
	ref           imageref.Ref
	state         string
	baseline, end int64
	watched       bool
	doubtful      bool
	gone          bool
	own           bool
	// started says that a pod of the view's namespace has started with it.
	started bool
}

// bound accounts for bound pods, and returns the images that one waits for, and those
// that bring layers.
func (t *twin) bound(name string, v ledger.View, a *ledger.Account) (waiting map[imageref.Ref]bool, ahead []bringing) {
	n := t.at(name)
	waiting = map[imageref.Ref]bool{}
	var parts []part
	for _, ref := range twinImages() {
		if p, found := t.part(name, ref, v); found {
			waiting[ref] = p.state == "pending" || waiting[ref]
			parts = append(parts, p)
		}
	}
	slices.SortFunc(parts, func(x, y part) int {
		return cmp.Or(cmp.Compare(x.baseline, y.baseline), strings.Compare(x.ref.String(), y.ref.String()))
	})
	measured := a.Tier == ledger.Measured
	// Every lost byte can be taken once.
	taken := make([]bool, n.lost)
	for _, p := range parts {
		size := t.pull(name, p.ref, v, a, ahead)
		if p.state == "pending" || p.state == "settled" && measured {
			ahead = append(ahead, bringing{t.brings(name, p.ref), p.state == "settled" || !p.doubtful && !p.gone, t.reportedAtMost(name, p.ref)})
		}
		end := n.lost
		if p.state == "spent" {
			end = p.end
		}
		share := int64(0)
		for i := p.baseline; measured && !p.doubtful && i < end && share < size.Disk.Likely; i++ {
			if !taken[i] {
				taken[i] = true
				share++
			}
		}
		switch {
		case p.state == "settled" && measured:
			low := max(size.Disk.Low-(n.lost-p.baseline), 0)
			if !p.started && size.Claimed {
				low = 0
			}
			likely := size.Disk.Likely - share
			if slices.Contains(v.Images, p.ref) && t.presence(name, p.ref) != ledger.Present {
				likely = low
			}
			a.Settled = a.Settled.Plus(estimate.Between(low, likely, size.Disk.High))
		case p.state == "pending" && p.doubtful:
			if !slices.Contains(v.Images, p.ref) {
				a.Pending = a.Pending.Plus(estimate.Between(0, 0, size.Disk.High))
			}
		case p.state == "pending" && p.gone:
			if !slices.Contains(v.Images, p.ref) {
				a.Pending = a.Pending.Plus(estimate.Between(0, size.Disk.Likely-share, size.Disk.High))
			}
		case p.state == "pending":
			low := size.Disk.Low
			if measured {
				low = max(low-(n.lost-p.baseline), 0)
			}
			if !p.watched || !p.own && size.Claimed || t.presence(name, p.ref) != ledger.Absent {
				low = 0
			}
			a.Pending = a.Pending.Plus(estimate.Between(low, size.Disk.Likely-share, size.Disk.High))
			a.Pulling = append(a.Pulling, p.ref)
		}
	}
	slices.SortFunc(a.Pulling, func(x, y imageref.Ref) int { return strings.Compare(x.String(), y.String()) })
	return waiting, ahead
}

// part finds how far a node is with an image.
func (t *twin) part(name string, ref imageref.Ref, v ledger.View) (part, bool) {
	p := part{ref: ref, baseline: 1 << 62, end: 1 << 62, watched: true, doubtful: true, own: slices.Contains(v.Images, ref), started: slices.Contains(v.Images, ref)}
	all := int64(1 << 62)
	var settled, spent, wanted, others bool
	var left []part
	for _, pod := range t.all() {
		for _, image := range pod.Images {
			m := pod.memory[ref]
			if pod.NodeName != name || image.Ref != ref || m.presence == ledger.Present {
				continue
			}
			switch {
			case !image.Pulled && !pod.goneAt.IsZero() && m.sampled:
				// What it had pulled is in the sample.
			case image.Pulled && (m.sampled || m.presence != ledger.Absent):
				if m.sampled && m.end > m.baseline {
					spent, p.end, all = true, min(p.end, m.end), min(all, m.baseline)
				}
			case image.Pulled && t.sampledByAnother(name, image.ImageID):
			case image.Pulled:
				settled, all = true, min(all, m.baseline)
				p.started = p.started || pod.Namespace == v.Namespace
			case !pod.Finished && pulls(image) && t.presence(name, ref) != ledger.Present:
				wanted, all = true, min(all, m.baseline)
				failing := !m.failing.IsZero() && !v.Now.Before(m.failing.Add(2*time.Minute))
				one := part{baseline: m.baseline, watched: m.watched, own: pod.Namespace == v.Namespace, doubtful: failing || pod.Deleting}
				switch {
				case !pod.goneAt.IsZero():
					if v.Now.Sub(pod.goneAt) < 2*time.Minute {
						left = append(left, one)
					}
				case pod.UID != v.Pod:
					others = true
					p.join(one)
				}
			}
		}
	}
	if !others {
		for _, one := range left {
			p.join(one)
		}
		p.gone, others = true, len(left) > 0
	}
	switch {
	case settled && !spent:
		p.state, p.baseline, p.doubtful = "settled", all, false
	case wanted:
		p.state = "pending"
		return p, others
	case spent:
		p.state, p.baseline, p.doubtful = "spent", all, false
	default:
		return p, false
	}
	return p, true
}

// sampledByAnother reports whether a pod that runs has the very image, in the sample.
func (t *twin) sampledByAnother(name string, id imageref.Ref) bool {
	for _, pod := range t.pods {
		for _, image := range pod.Images {
			same := pod.NodeName == name && !pod.Finished && image.Pulled && id.Digest() != "" && image.ImageID.Digest() == id.Digest()
			if m := pod.memory[image.Ref]; same && (m.sampled || m.presence != ledger.Absent) {
				return true
			}
		}
	}
	return false
}

func (p *part) join(o part) {
	p.baseline = min(p.baseline, o.baseline)
	p.watched, p.own, p.doubtful = p.watched && o.watched, p.own || o.own, p.doubtful && o.doubtful
}

// reserved accounts for unbound pods.
func (t *twin) reserved(name string, v ledger.View, waiting map[imageref.Ref]bool, ahead []bringing, a *ledger.Account) {
	for _, ref := range twinImages() {
		if slices.Contains(v.Images, ref) || waiting[ref] || t.presence(name, ref) == ledger.Present {
			continue
		}
		wanted, certain, expected := false, false, 0.0
		// Pods with the same candidates share one fraction, as sums of
		// fractions depend on their order.
		shares := map[int]int{}
		for _, pod := range t.pods {
			wants := slices.ContainsFunc(pod.Images, func(i ledger.PodImage) bool { return i.Ref == ref && pulls(i) })
			possible, tied := t.candidates(pod)
			nominated := pod.NominatedNodeName == name
			if !wants || pod.NodeName != "" || pod.Finished || pod.Deleting || pod.UID == v.Pod || !possible[name] && !nominated {
				continue
			}
			wanted = true
			switch {
			case nominated:
				certain = certain || pod.Namespace == v.Namespace
				shares[1]++
			case !pod.Gated && !pod.Unschedulable:
				certain = certain || len(tied) == 1 && pod.Namespace == v.Namespace
				shares[len(possible)]++
			}
		}
		for count, pods := range shares {
			expected += float64(pods) / float64(count)
		}
		if !wanted {
			continue
		}
		size, low := t.size(name, ref), int64(0)
		if certain && t.absent(name, ref, size.Disk.Low, a) {
			low = t.pull(name, ref, v, a, ahead).Disk.Low
			if size.Disk.Low > 0 {
				ahead = append(ahead, bringing{m: t.layers(name, ref)})
			}
		}
		weight := min(expected, 1)
		likely := estimate.Exactly(size.Disk.Likely).Times(estimate.Factor{Low: weight, Likely: weight, High: weight}).Likely
		a.Reserved = a.Reserved.Plus(estimate.Between(low, max(likely, low), size.Disk.High))
	}
}

// absent reports whether an image is not on a node, or larger than all that is.
func (t *twin) absent(name string, ref imageref.Ref, low int64, a *ledger.Account) bool {
	for _, pod := range t.all() {
		for _, image := range pod.Images {
			if pod.NodeName == name && (sameImage(image.Ref, ref) || !image.ImageID.IsZero() && sameImage(image.ImageID, ref)) &&
				(!pod.Finished || image.Pulled || !pod.goneAt.IsZero()) {
				return t.presence(name, ref) == ledger.Absent
			}
		}
	}
	tooLarge := a.Tier == ledger.Measured && low > a.CapacityBytes-a.Measured.Low
	return t.presence(name, ref) == ledger.Absent || t.presence(name, ref) == ledger.PresenceUnsure && tooLarge
}

func (t *twin) candidates(pod *twinPod) (possible, tied map[string]bool) {
	possible, tied = map[string]bool{}, map[string]bool{}
	if pod.Placement == nil {
		return possible, tied
	}
	for name, n := range t.nodes {
		if n.node != nil && pod.Placement.Possible(&n.node.Node, nil) {
			possible[name] = true
		}
		if n.node != nil && pod.Placement.TiedTo(&n.node.Node) {
			tied[name] = true
		}
	}
	return possible, tied
}

// reclaimable accounts for images that nobody uses.
func (t *twin) reclaimable(name string, lines ledger.Lines, a *ledger.Account) {
	n := t.at(name)
	used := a.CapacityBytes - a.Measured.Low
	least, most := t.freed(name)
	low := least.OnDisk(n.node.Runtime, twinFactor, imagesize.Learned{}).Low
	all := most.OnDisk(n.node.Runtime, twinFactor, imagesize.Learned{})
	likely, high := all.Likely, all.High
	if lines.ImageMinAge > 2*time.Minute {
		low = 0
	}
	for _, image := range n.node.Images {
		if t.ofEntry(name, image) == nil && !t.inUse(name, image) {
			size := t.size(name, image.Refs[0]).Disk
			likely, high = likely+size.Likely, high+size.High
		}
	}
	if n.node.Images == nil || lines.MaxImagesListed >= 0 && len(n.node.Images) >= lines.MaxImagesListed {
		high = used
	}
	high = min(high, used)
	a.Reclaimable = estimate.Between(min(low, high), min(likely, high), high)
}
