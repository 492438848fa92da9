// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/headroom-dev/headroom/kubelet"
)

// PollState says how asking one node's kubelet goes.
type PollState struct {
	Node string
	// NotAsked says why its kubelet is not asked; "" when it is.
	NotAsked NotAsked
	// LastSuccess is when the last sample came, by this process's clock; zero before the first.
	LastSuccess time.Time
	// Failures in a row since, and why the last one failed; 0 and "" when the last poll succeeded.
	Failures int
	Reason   kubelet.Reason
	// Detail is the last failure's sentence.
	Detail string
	// LinesFailed says that the kubelet doesn't tell its configuration.
	LinesFailed bool
}

// States returns how polling goes for every node, by name.
func (p *Poller) States() []PollState {
	p.mu.Lock()
	defer p.mu.Unlock()
	states := make([]PollState, 0, len(p.nodes))
	for name, node := range p.nodes {
		state := PollState{
			Node:        name,
			NotAsked:    node.notAsked,
			LastSuccess: node.lastSuccess,
			Failures:    node.failures,
			Reason:      kubelet.ReasonOf(node.lastError),
			LinesFailed: node.linesFailed,
		}
		if node.lastError != nil {
			state.Detail = node.lastError.Error()
		}
		states = append(states, state)
	}
	slices.SortFunc(states, func(a, b PollState) int { return cmp.Compare(a.Node, b.Node) })
	return states
}

// Errors returns how many polls failed, by reason, since the start. It holds every reason.
func (p *Poller) Errors() map[kubelet.Reason]uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	counts := make(map[kubelet.Reason]uint64)
	for _, reason := range kubelet.Reasons() {
		counts[reason] = 0
	}
	maps.Copy(counts, p.errors)
	return counts
}
