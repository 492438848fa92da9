// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fit

import (
	"maps"
	"math"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/headroom-dev/headroom/ledger"
	"github.com/headroom-dev/headroom/policy"
	"github.com/headroom-dev/headroom/verdict"
)

// unbounded is a size that no disk holds.
const unbounded = math.MaxInt64

// AutoscalerLabels returns the keys of node labels that point to an autoscaler, or to a managed pool that has one: a closed
// list. The caller owns the slice.
func AutoscalerLabels() []string { return slices.Clone(autoscalerLabels[:]) }

var autoscalerLabels = [...]string{
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

// pool is what an empty node of a pool could hold.
//
// The largest known disk of a pool stands for the disks of its new nodes, of whatever machine type they are: what adds them
// takes disks from the pool's template. Karpenter's EC2NodeClass has spec.blockDeviceMappings, "storage devices for the
// instance", for all instance types alike (karpenter.sh, Concepts, NodeClasses); only with its instanceStorePolicy RAID0 the
// disk depends on the type.
type pool struct {
	// room is the most that an empty node of a known disk holds before its eviction line; known is false before the first.
	room  int64
	known bool
	// need is the least that the pod needs on an empty node, which is one of the class least; needIfHuge the same if images
	// of unknown size are larger than any disk.
	need, needIfHuge int64
	least            *class
	// reachable says that the pod could go to a new node like one of these, covers that such a node has what it requests.
	reachable, covers bool
}

// addToPool takes a possible node into account for what a new node like it could hold.
func (s *survey) addToPool(row *ledger.NodeRow, c *class, a *ledger.Account) {
	p, known := s.pools[c.pool]
	if !known {
		p = &pool{need: unbounded, needIfHuge: unbounded}
		s.pools[c.pool] = p
	}
	p.add(c)
	if covers := s.covers(row); !p.reachable || covers && !p.covers {
		twin := s.twinMatches(row)
		p.reachable, p.covers = p.reachable || twin, p.covers || twin && covers
	}
	p.widen(a)
}

// add takes a class into account of which there are possible nodes.
func (p *pool) add(c *class) {
	if p.least == nil || c.empty < p.need || c.empty == p.need && c.before(p.least.classKey) {
		p.least = c
	}
	p.need, p.needIfHuge = min(p.need, c.empty), min(p.needIfHuge, c.emptyHuge)
}

// covers reports whether the node, without any other pod on it, has what the pod requests.
func (s *survey) covers(row *ledger.NodeRow) bool {
	return s.request.Placement == nil || row.Allocatable.Cover(s.request.Placement.Requests())
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
	p.widenTo(optimistic(demand{}, a).room(verdict.NeverFits))
}

func (p *pool) widenTo(room int64) {
	if !p.known || room > p.room {
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

// pointsToAutoscaler reports whether one tells of itself, or any node has one of the labels of AutoscalerLabels.
func pointsToAutoscaler(s *ledger.Snapshot) bool {
	if s.Autoscaler().Present {
		return true
	}
	for row := range s.Nodes() {
		if autoscaledBy(row) {
			return true
		}
	}
	return false
}

// autoscaledBy reports whether the node's labels point to an autoscaler.
func autoscaledBy(row *ledger.NodeRow) bool {
	for _, key := range autoscalerLabels {
		if _, found := row.Labels[key]; found {
			return true
		}
	}
	return false
}
