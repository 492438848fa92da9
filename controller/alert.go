// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"fmt"
	"sync"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/headroom-dev/headroom/estimate"
	"github.com/headroom-dev/headroom/ledger"
)

const (
	// alertPercent of a disk's capacity, but at least alertBytes, is how far measured use must move from what was last
	// logged: logs and scratch files write all the time.
	alertPercent = 1
	alertBytes   = 64 << 20
)

// Alert logs one line whenever a node's image storage changes, old value and new: the images it lists (their number and
// the sum of their reported sizes, in the unit of its runtime), and what its image file system has used (capacity less
// available, whatever uses it). It is a NodeListener and a SampleListener. What it sees first of a node is no change.
type Alert struct {
	log logr.Logger

	mu              sync.Mutex // guards the rest
	nodes           map[string]*lastLogged
	listed, changed uint64
}

type lastLogged struct {
	uid       types.UID
	hasList   bool
	count     int
	sumBytes  int64
	hasUse    bool
	usedBytes int64
}

// NewAlert returns an Alert that writes to log.
func NewAlert(log logr.Logger) *Alert {
	return &Alert{log: log, nodes: make(map[string]*lastLogged)}
}

// NodeSet implements NodeListener. A null list, from a kubelet that could not list, says nothing.
func (a *Alert) NodeSet(_ *corev1.Node, row ledger.Node) {
	if row.Images == nil {
		return
	}
	var sum int64
	for i := range row.Images {
		sum = estimate.SaturatingAdd(sum, row.Images[i].ReportedBytes)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	last := a.last(row.Name, row.UID)
	count := len(row.Images)
	if last.hasList && (last.count != count || last.sumBytes != sum) {
		a.listed++
		a.log.Info("Image storage changed", "node", row.Name, "what", "images listed",
			"old", listText(last.count, last.sumBytes), "new", listText(count, sum), "change", signed(sum-last.sumBytes))
	}
	last.hasList, last.count, last.sumBytes = true, count, sum
}

// NodeDeleted implements NodeListener.
func (a *Alert) NodeDeleted(name string, uid types.UID) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if last := a.nodes[name]; last != nil && (uid == "" || last.uid == uid) {
		delete(a.nodes, name)
	}
}

// Sampled implements SampleListener. The node's row may come after its first sample.
func (a *Alert) Sampled(node string, m ledger.Measurement, _ ledger.Lines) {
	used := m.CapacityBytes - m.AvailableBytes
	a.mu.Lock()
	defer a.mu.Unlock()
	last := a.last(node, m.NodeUID)
	change := used - last.usedBytes
	if last.hasUse {
		if max(change, -change) < max(alertBytes, m.CapacityBytes/100*alertPercent) {
			return
		}
		a.changed++
		a.log.Info("Image storage changed", "node", node, "what", "measured use",
			"old", estimate.Format(last.usedBytes), "new", estimate.Format(used), "change", signed(change),
			"available", estimate.Format(m.AvailableBytes), "capacity", estimate.Format(m.CapacityBytes))
	}
	last.hasUse, last.usedBytes = true, used
}

// Changes returns how many changes were logged since the start: of lists and of measured use.
func (a *Alert) Changes() (listed, measured uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.listed, a.changed
}

// last returns what was logged of a node, nothing for a new one of the same name. The caller holds mu.
func (a *Alert) last(name string, uid types.UID) *lastLogged {
	last := a.nodes[name]
	if last == nil || last.uid != uid {
		last = &lastLogged{uid: uid}
		a.nodes[name] = last
	}
	return last
}

func listText(count int, sumBytes int64) string {
	if count == 1 {
		return "1 image, " + estimate.Format(sumBytes)
	}
	return fmt.Sprintf("%d images, %s", count, estimate.Format(sumBytes))
}

func signed(n int64) string {
	if n > 0 {
		return "+" + estimate.Format(n)
	}
	return estimate.Format(n)
}
