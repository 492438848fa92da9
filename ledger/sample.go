// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/headroom-dev/headroom/estimate"
)

// clockStep is how much later than the sample held a sample must arrive for its
// earlier sample time to mean that the node's clock was set back. Kubelets serve
// samples that are some 20 seconds old at most, so it can't have been overtaken.
const clockStep = 2 * time.Minute

// SetMeasurement writes a sample. One of another node of the same name, and one
// taken before the sample held, is ignored; so is one without a capacity.
func (l *Ledger) SetMeasurement(node string, m Measurement) {
	l.mu.Lock()
	defer l.mu.Unlock()
	publish := l.publishSoon
	defer func() { publish() }()
	l.forgetGone(node, m.ReceivedAt)
	if node == "" || m.CapacityBytes <= 0 || l.deadNodes.has(m.NodeUID) {
		return
	}
	n := l.nodeNamed(node)
	if n.node != nil && m.NodeUID != "" && m.NodeUID != n.node.UID {
		return
	}
	m.AvailableBytes = max(m.AvailableBytes, 0)
	switch old := n.measurement; {
	case old == nil:
	case old.NodeUID != "" && m.NodeUID != "" && old.NodeUID != m.NodeUID:
		n.restartLoss() // Only where the node itself is not known.
	default:
		if !m.SampledAt.After(old.SampledAt) && m.ReceivedAt.Sub(old.ReceivedAt) < clockStep {
			return
		}
		n.lostBytes = estimate.SaturatingAdd(n.lostBytes, max(old.AvailableBytes-m.AvailableBytes, 0))
		publish = l.publishLater
	}
	n.measurement = &m
	n.settleAll()
	l.changeRow(n)
	l.observe(n)
}

// ForgetMeasurement drops the sample of a node that is not asked any more. What
// its disk has lost so far stays known.
func (l *Ledger) ForgetMeasurement(node string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := l.nodes[node]
	if n == nil || n.measurement == nil {
		return
	}
	n.measurement = nil
	l.changeRow(n)
	l.forgetUnused(n)
	l.publishSoon()
}

// SetLines writes a kubelet's thresholds; those for another UID than the node
// held are ignored, an empty uid means whichever node has the name.
func (l *Ledger) SetLines(node string, uid types.UID, lines Lines) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if node == "" || l.deadNodes.has(uid) {
		return
	}
	n := l.nodeNamed(node)
	if n.node != nil && uid != "" && uid != n.node.UID || n.lines != nil && n.linesUID == uid && n.lines.equal(lines) {
		return
	}
	n.lines, n.linesUID = l.sharedLines(lines), uid
	l.changeRow(n)
	l.publish()
}

// maxSharedLines is how many settings of kubelets are remembered: a cluster has few.
const maxSharedLines = 16

// sharedLines returns the one copy of settings that many kubelets have.
func (l *Ledger) sharedLines(lines Lines) *Lines {
	for _, known := range l.lines {
		if known.equal(lines) {
			return known
		}
	}
	lines.Thresholds = slices.Clone(lines.Thresholds)
	if len(l.lines) == maxSharedLines {
		l.lines = slices.Clone(l.lines[1:])
	}
	l.lines = append(l.lines, &lines)
	return &lines
}
