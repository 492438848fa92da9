// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"k8s.io/apimachinery/pkg/types"

	"github.com/headroom-dev/headroom/ledger"
)

// pulls knows on which nodes pods wait for images. Not safe for concurrent use.
type pulls struct {
	waiting map[string]map[types.UID]struct{}
	nodeOf  map[types.UID]string
}

func newPulls() pulls {
	return pulls{waiting: make(map[string]map[types.UID]struct{}), nodeOf: make(map[types.UID]string)}
}

// set takes a pod's row into account and returns the node on which the first pull began or the last one ended, "" for none.
// Images that keep failing don't count: the kubelet tries them again every five minutes, for ever.
func (p *pulls) set(row ledger.Pod) (changed string) {
	pulling := false
	if row.NodeName != "" && !row.Finished && !row.Deleting {
		for i := range row.Images {
			pulling = pulling || !row.Images[i].Pulled && !row.Images[i].Failing
		}
	}
	if !pulling {
		return p.remove(row.UID)
	}
	if p.nodeOf[row.UID] == row.NodeName {
		return ""
	}
	p.remove(row.UID)
	p.nodeOf[row.UID] = row.NodeName
	if p.waiting[row.NodeName] == nil {
		p.waiting[row.NodeName] = make(map[types.UID]struct{})
		changed = row.NodeName
	}
	p.waiting[row.NodeName][row.UID] = struct{}{}
	return changed
}

// remove forgets a pod; see set for what it returns.
func (p *pulls) remove(uid types.UID) (changed string) {
	node, known := p.nodeOf[uid]
	if !known {
		return ""
	}
	delete(p.nodeOf, uid)
	delete(p.waiting[node], uid)
	if len(p.waiting[node]) > 0 {
		return ""
	}
	delete(p.waiting, node)
	return node
}

// on reports whether pods on a node wait for images.
func (p *pulls) on(node string) bool { return len(p.waiting[node]) > 0 }

// PodSet implements PodListener.
func (p *Poller) PodSet(row ledger.Pod) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.replicas.set(row)
	p.hasten(p.pulls.set(row))
}

// PodDeleted implements PodListener.
func (p *Poller) PodDeleted(uid types.UID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.replicas.remove(uid)
	p.hasten(p.pulls.remove(uid))
}

// hasten brings a node's next poll forward to a pending interval after its last: when pulls begin, to see the disk fill,
// and when they end, for a sample that has all of it. A node that fails keeps its delay. The caller holds mu.
func (p *Poller) hasten(name string) {
	node := p.nodes[name]
	if node == nil || node.failures > 0 {
		return
	}
	node.soon = true
	if node.in == nil {
		return
	}
	due := node.lastPoll.Add(p.jittered(p.options.PendingInterval))
	if now := wallClock(); due.Before(now) {
		due = now
	}
	if due.Before(node.due) {
		p.enqueue(node, due)
	}
}
