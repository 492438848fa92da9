// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/headroom-dev/headroom/ledger"
)

// NodeSet implements NodeListener.
func (p *Poller) NodeSet(n *corev1.Node, _ ledger.Node) {
	p.mu.Lock()
	defer p.mu.Unlock()
	target, notAsked := TargetOf(n, p.options.ViaAPIServer)
	node := p.nodes[n.Name]
	if node == nil || node.uid != n.UID {
		p.forget(node)
		node = &polledNode{uid: n.UID, lines: ledger.DefaultLines()}
		node.node = node
		p.nodes[n.Name] = node
	}
	bootID := n.Status.NodeInfo.BootID
	// A kubelet that failed for long, and is back after a reboot, need not wait for what is left of its delay.
	changed := node.target != target || node.failures > 0 && node.bootID != bootID
	if notAsked != "" && node.notAsked != notAsked {
		p.ledger.ForgetMeasurement(n.Name)
		p.options.Log.Info("Kubelet is not asked", "node", n.Name, "reason", notAsked)
	}
	node.target, node.notAsked, node.bootID = target, notAsked, bootID
	switch {
	case notAsked != "":
		p.settled(node)
		p.schedule.remove(&node.scheduled)
	case node.inFlight:
		// The worker schedules it.
	case !node.queued:
		p.schedule.at(&node.scheduled, wallClock().Add(p.firstDelay(node)))
		p.poked()
	case changed:
		p.schedule.at(&node.scheduled, wallClock())
		p.poked()
	}
}

// firstDelay is short, but the nodes of a large cluster don't come all at once: after those that wait for their first
// poll already, 200 each second, within one interval. The caller holds mu.
func (p *Poller) firstDelay(node *polledNode) time.Duration {
	delay := time.Duration(float64(time.Second)*p.options.Random()) + time.Duration(p.newcomers)*5*time.Millisecond
	if !node.newcomer && node.lastPoll.IsZero() {
		node.newcomer = true
		p.newcomers++
	}
	return min(delay, p.options.Interval)
}

// settled takes a node off the count of those that wait for their first poll. The caller holds mu.
func (p *Poller) settled(node *polledNode) {
	if node.newcomer {
		node.newcomer = false
		p.newcomers--
	}
}

// NodeDeleted implements NodeListener. An empty uid means whichever node has the name.
func (p *Poller) NodeDeleted(name string, uid types.UID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	node := p.nodes[name]
	if node == nil || uid != "" && node.uid != uid {
		return
	}
	p.forget(node)
	delete(p.nodes, name)
}

// forget takes a node out of everything but the map. The caller holds mu.
func (p *Poller) forget(node *polledNode) {
	if node != nil {
		node.gone = true
		p.settled(node)
		p.schedule.remove(&node.scheduled)
	}
}
