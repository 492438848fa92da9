// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/headroom-dev/headroom/estimate"
	"github.com/headroom-dev/headroom/ledger"
)

const (
	// lineEventInterval is the shortest time between two Events about one node.
	lineEventInterval = 10 * time.Minute
	// lineHysteresisPercent of the capacity is how far above a line a node must be to count as back: the kubelet's own
	// lines are one percent apart by default.
	lineHysteresisPercent = 1
)

// level is where a node's available bytes are. A higher one is worse.
type level int

const (
	aboveLines level = iota
	belowGCLine
	belowEvictionLine
)

// LineWatch writes an Event on a Node when what is available on its image file system, as measured, falls below one of
// its lines or rises above it again. It is a SampleListener and a NodeListener. A node that is below a line when it is
// first seen gets an Event, too.
type LineWatch struct {
	sink EventSink

	mu    sync.Mutex // guards nodes
	nodes map[string]*nodeLevel
}

type nodeLevel struct {
	uid types.UID
	// now is where the node is, told where the last Event said it was.
	now, told level
	toldAt    time.Time
}

// NewLineWatch returns a LineWatch that records its Events with sink.
func NewLineWatch(sink EventSink) *LineWatch {
	return &LineWatch{sink: sink, nodes: make(map[string]*nodeLevel)}
}

// NodeSet implements NodeListener.
func (w *LineWatch) NodeSet(*corev1.Node, ledger.Node) {}

// NodeDeleted implements NodeListener.
func (w *LineWatch) NodeDeleted(name string, uid types.UID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if n := w.nodes[name]; n != nil && (uid == "" || n.uid == uid) {
		delete(w.nodes, name)
	}
}

// Sampled implements SampleListener.
func (w *LineWatch) Sampled(node string, m ledger.Measurement, lines ledger.Lines) {
	gcLine := lines.GCLineBytes(m.CapacityBytes)
	evictionLine := lines.EvictionLineBytes(m.CapacityBytes, m.SharedWithNodeFS)
	w.mu.Lock()
	n := w.nodes[node]
	if n == nil || n.uid != m.NodeUID {
		n = &nodeLevel{uid: m.NodeUID}
		w.nodes[node] = n
	}
	n.now = nextLevel(n.now, m, gcLine, evictionLine)
	silent := n.now == n.told || !n.toldAt.IsZero() && m.ReceivedAt.Sub(n.toldAt) < lineEventInterval
	before, now := n.told, n.now
	if !silent {
		n.told, n.toldAt = n.now, m.ReceivedAt
	}
	w.mu.Unlock()
	if !silent {
		w.sink.Record(lineEvent(node, m, before, now, gcLine, evictionLine))
	}
}

// nextLevel returns the level after a sample. Down is immediate, up takes the hysteresis. A line of 0 is none.
func nextLevel(before level, m ledger.Measurement, gcLine, evictionLine int64) level {
	margin := m.CapacityBytes / 100 * lineHysteresisPercent
	below := func(line int64, was bool) bool {
		if line <= 0 {
			return false
		}
		if was {
			line = estimate.SaturatingAdd(line, margin)
		}
		return m.AvailableBytes < line
	}
	switch {
	case below(evictionLine, before == belowEvictionLine):
		return belowEvictionLine
	case below(gcLine, before >= belowGCLine):
		return belowGCLine
	default:
		return aboveLines
	}
}

// lineEvent says what happened. Its key is the node and a span of ten minutes, so that of several replicas, which sample
// at different moments, one writes it.
func lineEvent(node string, m ledger.Measurement, before, now level, gcLine, evictionLine int64) Event {
	e := Event{
		About: corev1.ObjectReference{APIVersion: "v1", Kind: "Node", Name: node, UID: m.NodeUID},
		Key:   "line " + m.ReceivedAt.UTC().Truncate(lineEventInterval).Format(time.RFC3339),
		At:    m.ReceivedAt,
	}
	numbers := fmt.Sprintf("image storage: %s of %s available", estimate.Format(m.AvailableBytes), estimate.Format(m.CapacityBytes))
	switch {
	case now == belowEvictionLine:
		e.Warning, e.Reason = true, "ImageStorageBelowEvictionLine"
		e.Message = fmt.Sprintf("%s, below the line of %s: the kubelet reports DiskPressure, deletes unused images and may evict pods",
			numbers, estimate.Format(evictionLine))
	case now == belowGCLine && before < now:
		e.Warning, e.Reason = true, "ImageStorageBelowGCLine"
		e.Message = fmt.Sprintf("%s, below the line of %s: the kubelet trims the least recently used images", numbers, estimate.Format(gcLine))
	case now == belowGCLine:
		e.Reason = "ImageStorageAboveEvictionLine"
		e.Message = fmt.Sprintf("%s, above the eviction line of %s again, still below the image GC line of %s",
			numbers, estimate.Format(evictionLine), estimate.Format(gcLine))
	default:
		line := gcLine
		if line <= 0 {
			line = evictionLine
		}
		e.Reason = "ImageStorageAboveGCLine"
		e.Message = fmt.Sprintf("%s, above the line of %s again", numbers, estimate.Format(line))
	}
	return e
}
