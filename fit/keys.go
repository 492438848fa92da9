// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fit

import (
	"math"
)

// keys are what the verdict on a node depends on besides what a pod demands: the figures of one scenario without a pod, each as
// the room before something happens. The verdict gets no worse when one of them grows, so that those of many nodes are between
// the verdicts by their least and by their greatest keys. Bytes, but for the inodes.
type keys struct {
	// empty is the room on an empty disk, full that before the disk is full with all freed that can be, and gc that before
	// images are trimmed.
	empty, full, gc int64
	// pressure is the room before disk pressure, and evict that before a reclaim is not enough; endless without an eviction line.
	pressure, evict int64
	inodes          int64 // that are left before too few are; endless where they are not told
}

// endless is the room before what never happens. Sums of several keys stay far from what no int64 holds.
const endless = math.MaxInt64 >> 3

// keysOf returns the keys of figures without a need, and false for figures so large that sums of them may saturate.
func keysOf(f *figures) (k keys, sound bool) {
	k = keys{
		empty: f.capacity - f.evictionLine, full: f.available + f.reclaimable, gc: f.available - f.gcLine,
		pressure: endless, evict: endless, inodes: endless,
	}
	if !f.lineless() {
		k.pressure, k.evict = f.available-f.evictionLine, f.available+f.reclaimable-f.evictionTarget
	}
	if f.inodeLine > 0 {
		k.inodes = f.inodesFree - f.inodeLine
	}
	sound = true
	for _, v := range [...]int64{f.available, f.reclaimable, f.capacity, f.gcLine, f.evictionLine, f.evictionTarget, f.inodesFree, f.inodeLine} {
		sound = sound && v < endless>>2 && v > -endless>>2
	}
	return k, sound
}

// load is what a pod demands in one scenario, as in figures.
type load struct{ need, peak, noticed, inodes int64 }

// sound is as in keysOf.
func (l load) sound() bool { return max(l.need, l.peak, l.inodes) < endless>>2 }

// loadsOf returns what a demand is in both scenarios.
func loadsOf(d *demand) (l [2]load) {
	l[atBestScenario] = load{need: d.need.Low, peak: max(d.peak.Low, 0)}
	peak := max(d.peak.Likely, 0)
	l[likelyScenario] = load{need: d.need.Likely, peak: peak, noticed: peak, inodes: max(d.inodes, 0)}
	return l
}

// The scenarios.
const (
	likelyScenario = iota
	atBestScenario
)

// severity is that of figures.ofPod. Comments there.
func (k *keys) severity(l *load) int {
	seen := l.need + l.noticed
	switch {
	case l.need <= 0:
		return 0
	case l.need > k.empty:
		return 5
	case l.need >= k.full-l.peak:
		return 4
	case seen > k.pressure && seen > k.evict:
		return 3
	case seen > k.pressure, l.inodes > k.inodes:
		return 2
	case l.need > k.gc:
		return 1
	default:
		return 0
	}
}

// room is that of figures.room, for a severity that may be negative for Unknown.
func (k *keys) room(severity int, l *load) int64 {
	r := k.rooms(l)
	if severity < 0 || severity >= len(r) {
		return k.empty
	}
	return r[severity]
}

// rooms are those before each severity.
func (k *keys) rooms(l *load) [6]int64 {
	full, pressure := k.full-l.peak, k.pressure-l.noticed
	most := min(full, k.empty)
	r := [6]int64{2: min(pressure, most), 3: min(max(k.pressure, k.evict)-l.noticed, most), 4: most, 5: k.empty}
	r[1] = min(pressure, k.gc, most)
	if l.inodes > k.inodes {
		r[1], r[2] = min(r[1], 0), min(r[2], 0)
	}
	r[0] = r[1]
	return r
}

// bounds are the least and the greatest keys of several nodes, by scenario. Of no node they are those that nothing is between.
type bounds struct{ least, most [2]keys }

func noBounds() bounds {
	up, down := keys{}.each(endless), keys{}.each(-endless)
	return bounds{least: [2]keys{up, up}, most: [2]keys{down, down}}
}

func (b *bounds) add(scenario int, k *keys) {
	b.least[scenario], b.most[scenario] = b.least[scenario].least(k), b.most[scenario].most(k)
}

func (b *bounds) join(o *bounds) {
	for scenario := range b.least {
		b.least[scenario] = b.least[scenario].least(&o.least[scenario])
		b.most[scenario] = b.most[scenario].most(&o.most[scenario])
	}
}

// atWorst is the greatest severity that some node may have, 0 for no node.
func (b *bounds) atWorst(scenario int, l *load) int { return b.least[scenario].severity(l) }

// atBest is the least severity that some node may have.
func (b *bounds) atBest(scenario int, l *load) int { return b.most[scenario].severity(l) }

// with returns the keys with so much more available.
func (k keys) with(more int64) keys {
	k.full, k.gc, k.pressure, k.evict = k.full+more, k.gc+more, k.pressure+more, k.evict+more
	return k
}

func (keys) each(n int64) keys { return keys{n, n, n, n, n, n} }

func (k keys) least(o *keys) keys {
	return keys{min(k.empty, o.empty), min(k.full, o.full), min(k.gc, o.gc), min(k.pressure, o.pressure), min(k.evict, o.evict), min(k.inodes, o.inodes)}
}

func (k keys) most(o *keys) keys {
	return keys{max(k.empty, o.empty), max(k.full, o.full), max(k.gc, o.gc), max(k.pressure, o.pressure), max(k.evict, o.evict), max(k.inodes, o.inodes)}
}
