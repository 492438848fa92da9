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
func (p *Poller) NodeSet(n *corev1.Node, row ledger.Node) {
	p.mu.Lock()
	defer p.mu.Unlock()
	target, notAsked := TargetOf(n, p.options.ViaAPIServer)
	node := p.nodes[n.Name]
	known := node != nil && node.uid == n.UID
	if !known {
		p.forget(node)
		node = &polledNode{uid: n.UID, lines: ledger.DefaultLines(), phase: p.options.Phase(n.Name)}
		node.node = node
		p.nodes[n.Name] = node
	}
	bootID := n.Status.NodeInfo.BootID
	// A kubelet that failed for long, and is back, need not wait for what is left of its delay.
	back := node.bootID != bootID || row.Ready && !node.ready
	changed := node.target != target || node.failures > 0 && back
	if notAsked != "" && node.notAsked != notAsked {
		p.ledger.ForgetMeasurement(n.Name)
		p.options.Log.Info("Kubelet is not asked", "node", n.Name, "reason", notAsked)
	}
	moved, squeezed := row.Ready != node.ready, known && row.DiskPressure && !node.pressed
	node.target, node.notAsked, node.bootID, node.ready, node.pressed = target, notAsked, bootID, row.Ready, row.DiskPressure
	p.reschedule(node, changed, moved)
	if squeezed {
		// Whatever has filled the disk, nobody knew of it.
		p.hasten(n.Name)
	}
}

// reschedule gives a node its place in the schedule, when its Node object has been seen: changed says that it should be
// asked at once, moved that it has become ready, or not any more. The caller holds mu.
func (p *Poller) reschedule(node *polledNode, changed, moved bool) {
	switch {
	case node.notAsked != "":
		p.settled(node)
		node.remove()
	case node.inFlight:
		// The worker schedules it.
	case node.in == nil:
		p.enqueue(node, wallClock().Add(p.firstDelay(node)))
	case changed:
		p.enqueue(node, wallClock())
	case moved:
		p.enqueue(node, node.due)
	}
}

// firstDelay is short, but the nodes of a large cluster don't come all at once: after those that wait for their first
// poll already, 200 each second, and those that would have to wait for more than an interval each at its turn in one. The
// caller holds mu.
func (p *Poller) firstDelay(node *polledNode) time.Duration {
	delay := time.Duration(float64(time.Second)*p.options.Random()) + time.Duration(p.newcomers)*5*time.Millisecond
	if delay > p.options.Interval {
		delay = time.Duration(node.phase * float64(p.options.Interval))
	}
	if !node.newcomer && node.lastPoll.IsZero() {
		node.newcomer = true
		p.newcomers++
	}
	return delay
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
		node.remove()
	}
}
