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
	// taintQueue is how many nodes may wait for theirs, taintsAtOnce how many get one in a moment, and taintsPerSecond how many
	// in the long run: what one replica may ask of the API server at most.
	taintQueue, taintsAtOnce, taintsPerSecond = 64, 50, 5
	// taintWorkers write at a time, so that one node that can't be written does not make all others late: the taint has to be
	// there when the scheduler tries again, which is after a second.
	taintWorkers = 4
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
	right   taintRight
	ended   chan struct{} // closed when run has ended

	mu      sync.Mutex // guards the rest; it is held to look something up, never for a request
	nodes   map[string]*nodeTaints
	running bool
}

// nodeTaints is what is known of one node.
type nodeTaints struct {
	uid    types.UID
	taints []corev1.Taint
	// queued is set while the node waits for its taint, or is about to get it.
	queued bool
	*steered
}

// steered is what is known of a node besides that has the soft taint, or had it.
type steered struct {
	soft softTaint
	// wrote is the value of the taint that this replica has put there last.
	wrote time.Time
	// again is when the node may be written to again after so many failures in a row.
	again    time.Time
	failures int
}

// neverSteered is what nearly all nodes have.
var neverSteered steered

// steer returns what is known of a steered node, to be changed.
func (n *nodeTaints) steer() *steered {
	if n.steered == &neverSteered {
		n.steered = new(steered)
	}
	return n.steered
}

// NewNodeTaints returns NodeTaints that write nothing before they are started.
func NewNodeTaints(client kubernetes.Interface, o NodeTaintsOptions) *NodeTaints {
	if o.Now == nil {
		o.Now = wallClock
	}
	t := &NodeTaints{
		client: client, options: o, limit: rate.NewLimiter(taintsPerSecond, taintsAtOnce),
		queue: make(chan string, taintQueue), nodes: make(map[string]*nodeTaints), ended: make(chan struct{}),
	}
	t.right = taintRight{
		client: client, log: o.Log, granted: t.forgive, doubted: make(chan struct{}, 1),
		steers: func() bool { return o.Policy().SteersSomewhere() },
	}
	return t
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
	known := node != nil && node.uid == uid
	if !known {
		node = &nodeTaints{uid: uid, queued: node != nil && node.queued, steered: &neverSteered}
		t.nodes[name] = node
	}
	node.taints = taints
	if next := node.soft.next(taints, known, t.options.Now()); next != node.soft {
		node.steer().soft = next
	}
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
		if node.soft.found {
			count++
		}
	}
	return count
}

// ready reports whether there is such a node, and somebody who may write to it and did not fail just now.
func (t *NodeTaints) ready(name string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	node := t.nodes[name]
	return t.running && node != nil && t.right.has() && !t.options.Now().Before(node.again)
}

// put has a node get the taint soon, and reports whether it has it or will.
func (t *NodeTaints) put(name string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	node, now := t.nodes[name], t.options.Now()
	switch {
	case !t.running || node == nil:
		return false
	case node.queued || node.soft.recent(now):
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

// run puts taints on the nodes in the queue until ctx ends.
func (t *NodeTaints) run(ctx context.Context) {
	defer close(t.ended)
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
	workers.Go(func() { t.right.run(ctx) })
	workers.Wait()
}

func (t *NodeTaints) setRunning(running bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.running = running
}

// write puts the taint on one node.
func (t *NodeTaints) write(ctx context.Context, name string) {
	var (
		renewed bool
		wrote   corev1.Taint
	)
	changed, err := t.edit(ctx, name, taintAttempts, func(n *nodeTaints) []corev1.Taint {
		now := t.options.Now()
		renewed = n.soft.found
		if n.soft.recent(now) {
			return n.taints // Another replica's.
		}
		wrote = placement.SoftTaint(now)
		return append(without(n.taints), wrote)
	})
	t.failed(ctx, name, err)
	t.mu.Lock()
	if node := t.nodes[name]; node != nil {
		node.queued = false
		if changed {
			node.steer().wrote, _ = placement.SoftTaintSince([]corev1.Taint{wrote})
		}
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
