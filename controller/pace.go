// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"crypto/sha256"
	"encoding/binary"
	"time"
)

// sampleSlack is how much older than the time between two polls a sample may become: it has an age when it arrives, as
// kubelets look at their disks every 10 to 15 seconds, and the next poll may have to wait and takes time itself.
const sampleSlack = 25 * time.Second

// Pace says how often a node is asked. It is a closed set, fit to be the label of a metric.
type Pace string

// The paces.
const (
	PaceFailing Pace = "failing" // after failures, ever more seldom
	PacePulling Pace = "pulling" // at the pending interval: images are pulled there
	PaceNear    Pace = "near"    // at the interval: near a line, or not known
	PaceFar     Pace = "far"     // more seldom: far from any line
)

// Paces returns every pace, for metrics that start at zero.
func Paces() []Pace { return []Pace{PaceFailing, PacePulling, PaceNear, PaceFar} }

// pace returns how often the node is asked now. The caller holds mu.
func (p *Poller) pace(node *polledNode) (Pace, time.Duration) {
	switch {
	case node.failures > 0:
		return PaceFailing, p.backoff(node.failures)
	case node.soon, p.pulls.on(node.target.Node):
		return PacePulling, p.options.PendingInterval
	}
	far := p.options.Interval
	if !node.pressed && p.options.MaxStaleness != nil {
		// In steps of two, so that replicas, whose samples differ, come to the same.
		longest := p.options.MaxStaleness() - sampleSlack
		for times := 2; times <= node.patience && p.options.Interval*time.Duration(times) <= longest; times *= 2 {
			far = p.options.Interval * time.Duration(times)
		}
	}
	if far > p.options.Interval {
		return PaceFar, far
	}
	return PaceNear, far
}

// turn returns when the node is to be asked next. Time is cut into intervals, the same for all replicas, and each node
// has its moment in each, by its name: so the nodes are spread evenly, whatever happens, and the replicas, which are
// shifted against each other, never ask one node at a time. The caller holds mu.
func (p *Poller) turn(node *polledNode, now time.Time) time.Time {
	_, interval := p.pace(node)
	index, count := p.replicas.place()
	shift := time.Duration((node.phase + float64(index)/float64(count)) * float64(interval))
	// Not again at once if the last moment has just gone by, or the clock was set.
	earliest := now.Add(min(interval, p.options.PendingInterval) / 4)
	past := time.Duration(earliest.UnixNano()-int64(shift)) % interval
	if past < 0 {
		past += interval
	}
	return earliest.Add((interval - past) % interval)
}

// phaseOf returns the turn of a node, the same in every replica, whatever other nodes there are.
func phaseOf(name string) float64 {
	sum := sha256.Sum256([]byte(name))
	return float64(binary.BigEndian.Uint64(sum[:])>>11) / (1 << 53)
}

// heedPolicy brings the polls forward that a policy has made too late which allows less staleness than before.
func (p *Poller) heedPolicy() {
	if p.options.MaxStaleness == nil {
		return
	}
	allowed := p.options.MaxStaleness()
	p.mu.Lock()
	defer p.mu.Unlock()
	stricter := allowed < p.allowed
	p.allowed = allowed
	if !stricter {
		return
	}
	now := wallClock()
	for _, node := range p.nodes {
		if node.in != &p.schedule || node.lastSuccess.IsZero() {
			continue
		}
		if due := p.turn(node, now); due.Before(node.due) {
			p.enqueue(node, due)
		}
	}
}
