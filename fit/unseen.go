// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fit

import "github.com/headroom-dev/headroom/policy"

// Nodes of a kind that has none now. Nobody knows which disk such a node has, so that it may hold any pod; of its labels it is
// only known that they are what the pod selects.

// mayGetUnseen reports whether the pod could go to a new node of such a kind: because an autoscaler tells of one, or the policy
// does, or because no kind that is there has what the pod requests, as for the first pod with a GPU. Karpenter and most managed
// pools tell of nothing before they have a node.
func (s *survey) mayGetUnseen() bool {
	if !s.reachesNew() {
		return false
	}
	return (s.snapshot.Autoscaler().Unseen() || s.needsUnseen()) && s.unseenMayCome() || s.declaresUnseen()
}

// reachesNew reports whether the pod could go to new nodes at all.
func (s *survey) reachesNew() bool {
	for _, p := range s.pools {
		if p.reachable {
			return true
		}
	}
	return false
}

// needsUnseen reports whether a new node would have to be of another kind than those that are there. Nodes that the policy
// calls fixed show what kind it is only where the pod can go to no others. It must not matter here whether anything points
// to an autoscaler: a sign of one more would otherwise refuse a pod.
func (s *survey) needsUnseen() bool {
	mayGrow, fixedCovers := false, false
	for n, p := range s.pools {
		switch {
		case !p.reachable:
		case n != nil && n.Elastic == policy.ElasticFalse:
			fixedCovers = fixedCovers || p.covers
		case p.covers:
			return false
		default:
			mayGrow = true
		}
	}
	return mayGrow || !fixedCovers
}

// unseenMayCome reports whether some pool that a node of a kind which nobody has seen could be in grows. The policy's first
// pool that finds a node counts, and the node has the labels that the pod selects: it is in no pool that selects others,
// and in none behind the first that selects nothing else.
func (s *survey) unseenMayCome() bool {
	for i := range s.policy.NodePools {
		n := &s.policy.NodePools[i]
		finds, excludes := s.selectsPool(n)
		switch {
		case excludes:
		case s.grows(n):
			return true
		case finds:
			return false
		}
	}
	return s.grows(nil)
}

// declaresUnseen reports whether the policy says that a pool grows which has no node now, and which a node that the pod can go
// to may be in.
func (s *survey) declaresUnseen() bool {
	for i := range s.policy.NodePools {
		n := &s.policy.NodePools[i]
		finds, excludes := s.selectsPool(n)
		switch {
		case excludes:
		case n.Elastic == policy.ElasticTrue && !s.hasNodes(n):
			return true
		case finds:
			return false
		}
	}
	return false
}

// hasNodes reports whether any node is in the pool, be it one for this pod or not.
func (s *survey) hasNodes(n *policy.NodePool) bool {
	if s.inhabited == nil {
		s.inhabited = make(map[*policy.NodePool]bool, len(s.policy.NodePools)+1)
		for row := range s.snapshot.Nodes() {
			s.inhabited[s.sizes.classOf(row).pool] = true
		}
	}
	return s.inhabited[n]
}

// selectsPool reports whether the labels that the pod selects are enough to be in a pool, and whether they rule that out.
// Where it is neither, a node that the pod can go to may be in it. What a pool's matchExpressions say of them is left open.
func (s *survey) selectsPool(n *policy.NodePool) (finds, excludes bool) {
	finds = len(n.Selector.MatchExpressions) == 0
	for key, want := range n.Selector.MatchLabels {
		value, selected := "", false
		if s.request.Placement != nil {
			value, selected = s.request.Placement.Selects(key)
		}
		finds = finds && selected
		excludes = excludes || selected && value != want
	}
	return finds && !excludes, excludes
}
