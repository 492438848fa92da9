// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"time"

	"github.com/headroom-dev/headroom/imagesize"
	"github.com/headroom-dev/headroom/ledger"
)

// learnedNode is a node that a Learner has seen a sample or a pull of.
type learnedNode struct {
	// pool is whose tally the node is in.
	pool imagesize.PoolKey
	// countedSample is when the sample was taken whose bytes in use were counted last, by the node's clock.
	countedSample time.Time
}

// poolTally is a tally, and what the ledger has been told of it.
type poolTally struct {
	imagesize.Tally
	written imagesize.Learned
}

// tallyOf returns the node and the tally of its pool, which it joins where it is in another one. The caller holds mu.
func (l *Learner) tallyOf(row *ledger.NodeRow) (*learnedNode, *poolTally) {
	key := imagesize.PoolKey{Pool: l.options.Pool(row), Runtime: row.Runtime, Platform: imagesize.Platform{OS: row.OS, Architecture: row.Architecture}}
	tally, found := l.tallies.get(key)
	if !found {
		tally = l.newTally(key)
	}
	node, known := l.nodes[row.Name]
	switch {
	case !known:
		node = &learnedNode{pool: key}
		l.nodes[row.Name] = node
	case node.pool != key:
		l.leave(row.Name, node.pool)
		node.pool = key
	default:
		return node, tally
	}
	l.poolNodes[key]++
	l.write(key, tally) // What was certain may not be for one more node.
	return node, tally
}

// leave takes a node out of a pool. The caller holds mu.
func (l *Learner) leave(node string, pool imagesize.PoolKey) {
	if l.poolNodes[pool]--; l.poolNodes[pool] == 0 {
		delete(l.poolNodes, pool)
	}
	if tally, found := l.tallies.get(pool); found {
		tally.ForgetNode(node)
		l.write(pool, tally)
	}
}

func (l *Learner) newTally(key imagesize.PoolKey) *poolTally {
	tally := &poolTally{}
	l.tallies.set(key, tally)
	return tally
}

// write tells the ledger what has changed, and keeps a pool that teaches from making room. The caller holds mu.
func (l *Learner) write(key imagesize.PoolKey, tally *poolTally) {
	learned := tally.Learned(l.poolNodes[key])
	if learned.Equal(tally.written) {
		return
	}
	tally.written = learned
	l.tallies.set(key, tally)
	l.ledger.SetLearned(key, learned)
}

// PoolsLearned returns of how many pools pulls have taught what: closed labels for a metric.
func (l *Learner) PoolsLearned() map[string]int {
	l.mu.Lock()
	defer l.mu.Unlock()
	counts := map[string]int{"kept": 0, "reported": 0, "lazy": 0}
	l.tallies.all(func(_ imagesize.PoolKey, tally *poolTally) {
		for what, learned := range map[string]bool{
			"kept": tally.written.Kept != nil, "reported": tally.written.Reported != nil, "lazy": tally.written.Lazy,
		} {
			if learned {
				counts[what]++
			}
		}
	})
	return counts
}
