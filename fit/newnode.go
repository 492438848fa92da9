// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fit

import (
	"iter"

	"github.com/headroom-dev/headroom/policy"
)

// newNode is whether a node that an autoscaler adds could hold the pod, or may for all that is known, and of which of the
// policy's pools: nil for none of them, or for one that nobody has seen.
type newNode struct {
	holds bool
	// sure says that more than this is known: a node of the pool has what the pod requests, and one has a disk that is large
	// enough for what the pod likely needs.
	sure bool
	pool *policy.NodePool
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
	var found newNode
	for key, p := range s.byPool() {
		if !p.reachable || !s.grows(key) {
			continue
		}
		growing[key] = p
		if p.holds(ifHuge) && !found.sure && (!found.holds || s.sureOf(p)) {
			found = newNode{holds: true, sure: s.sureOf(p), pool: key}
		}
	}
	if found.holds {
		return found
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
			return newNode{holds: true, sure: s.sureOf(p), pool: key}
		}
	}
	return newNode{}
}

// sureOf reports whether it is known of a pool that a new node of it could take the pod.
func (s *survey) sureOf(p *pool) bool {
	return p.covers && p.known && s.likelyOnEmpty(p.least) <= p.room
}

// likelyOnEmpty is what the pod likely needs on an empty node of a class. It is unbounded where nobody knows.
func (s *survey) likelyOnEmpty(c *class) int64 {
	need := once{firsts: s.sizes.same}
	for i, size := range s.sizes.onEmpty(c) {
		if !c.wanted[i].Known() {
			return unbounded
		}
		need.add(i, size.Disk.AtLeastZero())
	}
	return need.sum().Likely
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

// grown reports whether new nodes were thought of.
func (s *survey) grown() bool {
	for key, p := range s.pools {
		if p.reachable && s.grows(key) {
			return true
		}
	}
	return s.mayGetUnseen()
}
