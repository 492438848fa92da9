// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"golang.org/x/time/rate"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"github.com/headroom-dev/headroom/ledger"
	"github.com/headroom-dev/headroom/placement"
	"github.com/headroom-dev/headroom/policy"
)

const (
	// taintLife is how long a soft taint stays after it was written, which is up to taintRenewal before the last binding that was
	// sent back from the node. A pull, and the sample
	// that shows it, is over by then more often than not; if the node is still too full, the next binding says so.
	taintLife = 2 * time.Minute
	// taintRenewal is how old a taint may be and still need no new value when a further binding is sent back.
	taintRenewal = 30 * time.Second
	// taintQueue is how many nodes may wait for theirs, taintsAtOnce how many get one in a moment, and taintsPerSecond how many
	// in the long run: what one replica may ask of the API server at most.
	taintQueue, taintsAtOnce, taintsPerSecond = 64, 50, 5
	// taintWorkers write at a time, so that one node that can't be written does not make all others late: the taint has to be
	// there when the scheduler tries again, which is after a second.
	taintWorkers = 4
	// taintForbidden is for how long nothing is promised after the API server has refused.
	taintForbidden = time.Minute
)

// NodeTaintsOptions are the settings of NodeTaints.
type NodeTaintsOptions struct {
	// Policy returns the policy in force.
	Policy  func() *policy.Policy
	Metrics *SteeringMetrics
	Log     logr.Logger
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// NodeTaints puts the soft taint on nodes from which a binding is sent back, on every replica, and takes it away again, on
// one. It is a NodeListener: what it knows of nodes is what the informer tells.
type NodeTaints struct {
	client  kubernetes.Interface
	options NodeTaintsOptions
	limit   *rate.Limiter
	queue   chan string
	problem problem // of writing

	mu      sync.Mutex // guards the rest; it is held to look something up, never for a request
	nodes   map[string]*nodeTaints
	running bool
	// forbiddenUntil is until when nothing is promised, because the right to write is missing.
	forbiddenUntil time.Time
}

// nodeTaints is what is known of one node.
type nodeTaints struct {
	uid    types.UID
	taints []corev1.Taint
	// queued is set while the node waits for its taint, or is about to get it.
	queued bool
}

// NewNodeTaints returns NodeTaints that write nothing before they are started.
func NewNodeTaints(client kubernetes.Interface, o NodeTaintsOptions) *NodeTaints {
	if o.Now == nil {
		o.Now = wallClock
	}
	return &NodeTaints{
		client: client, options: o, limit: rate.NewLimiter(taintsPerSecond, taintsAtOnce),
		queue: make(chan string, taintQueue), nodes: make(map[string]*nodeTaints),
	}
}

// NodeSet implements NodeListener.
func (t *NodeTaints) NodeSet(n *corev1.Node, _ ledger.Node) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.set(n.Name, n.UID, n.Spec.Taints)
}

// set takes in what a node has. The caller holds mu.
func (t *NodeTaints) set(name string, uid types.UID, taints []corev1.Taint) {
	node := t.nodes[name]
	if node == nil {
		node = &nodeTaints{}
		t.nodes[name] = node
	}
	node.uid, node.taints = uid, taints
}

// NodeDeleted implements NodeListener.
func (t *NodeTaints) NodeDeleted(name string, uid types.UID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if node := t.nodes[name]; node != nil && (uid == "" || node.uid == uid) {
		delete(t.nodes, name)
	}
}

// Tainted returns how many nodes have the taint.
func (t *NodeTaints) Tainted() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	count := 0
	for _, node := range t.nodes {
		if _, found := placement.SoftTaintSince(node.taints); found {
			count++
		}
	}
	return count
}

// ready reports whether there is such a node and somebody to write to it.
func (t *NodeTaints) ready(name string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.running && t.nodes[name] != nil && !t.options.Now().Before(t.forbiddenUntil)
}

func (t *NodeTaints) forbidden() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.forbiddenUntil = t.options.Now().Add(taintForbidden)
}

// put has a node get the taint soon, and reports whether it has it or will.
func (t *NodeTaints) put(name string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	node, now := t.nodes[name], t.options.Now()
	switch {
	case !t.running || node == nil:
		return false
	case node.queued || isRecent(node.taints, now):
		return true
	case !t.limit.AllowN(now, 1):
		t.options.Metrics.taint(taintLimited)
		return false
	}
	select {
	case t.queue <- name:
		node.queued = true
		return true
	default:
		t.options.Metrics.taint(taintLimited)
		return false
	}
}

// isRecent reports whether the taint is there and young enough.
func isRecent(taints []corev1.Taint, now time.Time) bool {
	since, found := placement.SoftTaintSince(taints)
	return found && !isOld(since, now) && now.Sub(since) < taintRenewal
}

// isOld reports whether a taint should be gone. One from far in the future is nobody's.
func isOld(since, now time.Time) bool {
	age := now.Sub(since)
	return age >= taintLife || age <= -taintLife
}

// run puts taints on the nodes in the queue until ctx ends.
func (t *NodeTaints) run(ctx context.Context) {
	t.setRunning(true)
	defer t.setRunning(false)
	var workers sync.WaitGroup
	for range taintWorkers {
		workers.Go(func() {
			for {
				select {
				case <-ctx.Done():
					return
				case name := <-t.queue:
					t.write(ctx, name)
				}
			}
		})
	}
	workers.Wait()
}

func (t *NodeTaints) setRunning(running bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.running = running
}

// write puts the taint on one node.
func (t *NodeTaints) write(ctx context.Context, name string) {
	renewed := false
	change := func(taints []corev1.Taint) []corev1.Taint {
		now := t.options.Now()
		_, renewed = placement.SoftTaintSince(taints)
		if isRecent(taints, now) {
			return taints // Another replica's.
		}
		return append(without(taints), placement.SoftTaint(now))
	}
	changed := t.edit(ctx, name, change)
	t.mu.Lock()
	if node := t.nodes[name]; node != nil {
		node.queued = false
	}
	t.mu.Unlock()
	switch {
	case changed && renewed:
		t.options.Metrics.taint(taintRenewed)
	case changed:
		t.options.Metrics.taint(taintPut)
		t.options.Log.Info("Soft taint put on a node: its disk is too full for a pod's images", "node", name, "taint", placement.ImageStorageTaint)
	}
}
