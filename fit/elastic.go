// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fit

import (
	"iter"
	"maps"
	"math"

	corev1 "k8s.io/api/core/v1"

	"github.com/headroom-dev/headroom/ledger"
	"github.com/headroom-dev/headroom/policy"
	"github.com/headroom-dev/headroom/verdict"
)

// unbounded is a size that no disk holds.
const unbounded = math.MaxInt64

// AutoscalerLabels returns the keys of node labels that point to an autoscaler, or to a managed pool that has one: a closed
// list. The caller owns the slice.
func AutoscalerLabels() []string {
	return []string{
		"karpenter.sh/nodepool",
		"karpenter.sh/provisioner-name",
		"eks.amazonaws.com/nodegroup",
		"alpha.eksctl.io/nodegroup-name",
		"cloud.google.com/gke-nodepool",
		"kubernetes.azure.com/agentpool",
		"agentpool",
		"doks.digitalocean.com/node-pool",
		"k8s.scaleway.com/pool-name",
		"lke.linode.com/pool-id",
		"alibabacloud.com/nodepool-id",
		"ibm-cloud.kubernetes.io/worker-pool-id",
		"worker.gardener.cloud/pool",
		"hcloud/node-group",
	}
}

// pool is what an empty node of a pool could hold.
type pool struct {
	// room is the most that an empty node of a known disk holds before its eviction line; known is false before the first.
	room  int64
	known bool
	// need is the least that the pod needs on an empty node; needIfHuge the same if images of unknown size are larger than
	// any disk.
	need, needIfHuge int64
	// reachable says that the pod could go to a new node like one of these.
	reachable bool
}

// addToPool takes a possible node into account for what a new node like it could hold.
func (s *survey) addToPool(row *ledger.NodeRow, c *class, a *ledger.Account) {
	p, known := s.pools[c.pool]
	if !known {
		p = &pool{need: unbounded, needIfHuge: unbounded}
		s.pools[c.pool] = p
	}
	p.need, p.needIfHuge = min(p.need, c.empty), min(p.needIfHuge, c.emptyHuge)
	p.reachable = p.reachable || s.twinMatches(row)
	p.widen(a)
}

// twinMatches reports whether the pod could go to a node that differs from this one in nothing but its name. A pod with
// spec.nodeName, one of a DaemonSet, or one that selects a host name can't.
func (s *survey) twinMatches(row *ledger.NodeRow) bool {
	if s.request.Placement == nil {
		return true
	}
	twin := row.Node.Node
	twin.Name = ""
	twin.Labels = maps.Clone(twin.Labels)
	delete(twin.Labels, corev1.LabelHostname)
	return s.request.Placement.TiedTo(&twin)
}

func (p *pool) widen(a *ledger.Account) {
	if blind(a) != "" {
		return
	}
	if room := optimistic(demand{}, a).room(verdict.NeverFits); !p.known || room > p.room {
		p.room, p.known = room, true
	}
}

// holds reports whether a new node of the pool could hold the pod, or may for all that is known.
func (p *pool) holds(ifHuge bool) bool {
	need := p.need
	if ifHuge {
		need = p.needIfHuge
	}
	return !p.known || need <= p.room
}

// newNode is whether a node that an autoscaler adds could hold the pod, and of which of the policy's pools: nil for none of
// them, or for one that nobody has seen.
type newNode struct {
	holds bool
	pool  *policy.NodePool
}

// newNodeHolds reports whether a node that an autoscaler adds could hold the pod.
func (s *survey) newNodeHolds(ifHuge bool) bool { return s.newNode(ifHuge).holds }

func (s *survey) newNode(ifHuge bool) newNode {
	memo := &s.added
	if ifHuge {
		memo = &s.addedIfHuge
	}
	if *memo == nil {
		*memo = new(s.anyPoolHolds(ifHuge))
	}
	return **memo
}

func (s *survey) anyPoolHolds(ifHuge bool) newNode {
	growing := make(map[*policy.NodePool]*pool, len(s.pools))
	for key, p := range s.byPool() {
		if !p.reachable || !s.grows(key) {
			continue
		}
		if p.holds(ifHuge) {
			return newNode{holds: true, pool: key}
		}
		growing[key] = p
	}
	if s.mayGetUnseen() {
		return newNode{holds: true}
	}
	if len(growing) == 0 {
		return newNode{}
	}
	// The pool's largest disk may be on a node that this pod can't use.
	for row := range s.snapshot.Nodes() {
		key := s.sizes.classOf(row).pool
		p := growing[key]
		if p == nil {
			continue
		}
		account := s.accounts.Disk(row)
		if p.widen(&account); p.holds(ifHuge) {
			return newNode{holds: true, pool: key}
		}
	}
	return newNode{}
}

// byPool returns the pools in the policy's order, which makes the first of several that hold a pod the same one each time;
// the nodes of no pool come last.
func (s *survey) byPool() iter.Seq2[*policy.NodePool, *pool] {
	return func(yield func(*policy.NodePool, *pool) bool) {
		for i := range s.policy.NodePools {
			key := &s.policy.NodePools[i]
			if p, found := s.pools[key]; found && !yield(key, p) {
				return
			}
		}
		if p, found := s.pools[nil]; found {
			yield(nil, p)
		}
	}
}

// mayGetUnseen reports whether the pod could go to a node of a kind that has none now. Nobody knows which labels and which
// disk such a node has: it may be in any of the policy's pools, or in none.
func (s *survey) mayGetUnseen() bool {
	if !s.snapshot.Autoscaler().Unseen() || declaredFixed(s.policy) {
		return false
	}
	for _, p := range s.pools {
		if p.reachable {
			return true
		}
	}
	return false
}

// declaredFixed reports whether the policy says of every node that there can be that no autoscaler adds it: by pools of
// which the last finds all nodes.
func declaredFixed(p *policy.Policy) bool {
	for i := range p.NodePools {
		n := &p.NodePools[i]
		if n.Elastic != policy.ElasticFalse {
			return false
		}
		if len(n.Selector.MatchLabels)+len(n.Selector.MatchExpressions) == 0 {
			return true
		}
	}
	return false
}

// waitForNewNode marks the images whose size decides whether a new node could hold the pod. A candidate may have them.
func (s *survey) waitForNewNode() {
	for _, c := range s.sizes.classes {
		if p := s.pools[c.pool]; p == nil || !p.reachable {
			continue
		}
		for i, size := range c.wanted {
			if !certain(size) && !neverPulled(&s.images[i]) {
				s.waitFor[i], s.platforms[c.platform] = true, true
			}
		}
	}
}

// grows reports whether an autoscaler may add nodes to a pool; nil stands for the nodes that are in no pool.
func (s *survey) grows(n *policy.NodePool) bool {
	if n != nil {
		switch n.Elastic {
		case policy.ElasticTrue:
			return true
		case policy.ElasticFalse:
			return false
		case policy.ElasticAuto:
		}
	}
	if s.autoscaled == nil {
		s.autoscaled = new(pointsToAutoscaler(s.snapshot))
	}
	return *s.autoscaled
}

// grown reports whether new nodes were thought of.
func (s *survey) grown() bool {
	for key, p := range s.pools {
		if p.reachable && s.grows(key) {
			return true
		}
	}
	return len(s.pools) > 0 && s.mayGetUnseen()
}

// pointsToAutoscaler reports whether one tells of itself, or any node has one of the labels of AutoscalerLabels.
func pointsToAutoscaler(s *ledger.Snapshot) bool {
	if s.Autoscaler().Present {
		return true
	}
	keys := AutoscalerLabels()
	for row := range s.Nodes() {
		for _, key := range keys {
			if _, found := row.Labels[key]; found {
				return true
			}
		}
	}
	return false
}
