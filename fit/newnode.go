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
	for key, p := range s.pools {
		if p.reachable && s.grows(key) {
			growing[key] = p
		}
	}
	found := s.firstToHold(growing, ifHuge)
	switch {
	case found.holds:
		return found
	case s.mayGetUnseen():
		return newNode{holds: true}
	case len(growing) == 0:
		return newNode{}
	default:
		// The pool's largest disk may be on a node that this pod can't use.
		s.widenAll(growing)
		return s.firstToHold(growing, ifHuge)
	}
}

// firstToHold returns the first of the policy's pools that holds the pod, or may, if none does for sure.
func (s *survey) firstToHold(growing map[*policy.NodePool]*pool, ifHuge bool) (found newNode) {
	for key, p := range s.byPool() {
		if growing[key] != nil && p.holds(ifHuge) && !found.sure && (!found.holds || s.sureOf(p)) {
			found = newNode{holds: true, sure: s.sureOf(p), pool: key}
		}
	}
	return found
}

// widenAll looks at the disks of all nodes, be they for this pod or not.
func (s *survey) widenAll(pools map[*policy.NodePool]*pool) {
	if s.widest != nil {
		for key, p := range pools {
			if room, known := s.widest[key]; known {
				p.widenTo(room)
			}
		}
		return
	}
	for row := range s.snapshot.Nodes() {
		if p := pools[s.sizes.classOf(row).pool]; p != nil {
			account := s.accounts.Disk(row)
			p.widen(&account)
		}
	}
}

// sureOf reports whether it is known of a pool that a new node of it could take the pod.
func (s *survey) sureOf(p *pool) bool {
	return p.covers && p.known && p.least.emptyLikely <= p.room
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
