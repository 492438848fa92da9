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
	// Pace says how often it is asked; "" when it is not.
	Pace Pace
	// Waiting says that its next poll is due and waits for others to end.
	Waiting bool
	// LinesFailed says that the kubelet doesn't tell its configuration.
	LinesFailed bool
}

// States returns how polling goes for every node, by name.
func (p *Poller) States() []PollState {
	p.mu.Lock()
	defer p.mu.Unlock()
	states, now := make([]PollState, 0, len(p.nodes)), wallClock()
	for name, node := range p.nodes {
		state := PollState{
			Node:        name,
			NotAsked:    node.notAsked,
			LastSuccess: node.lastSuccess,
			Failures:    node.failures,
			Reason:      kubelet.ReasonOf(node.lastError),
			LinesFailed: node.linesFailed,
		}
		if node.notAsked == "" {
			state.Pace, _ = p.pace(node)
			state.Waiting = node.in != nil && node.due.Before(now)
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

// Polls returns how many times a kubelet has been asked for a sample since the start.
func (p *Poller) Polls() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.polls
}

// ReadBytes returns how many bytes have come from kubelets, false where the client does not count them.
func (p *Poller) ReadBytes() (uint64, bool) {
	counter, counts := p.kubelets.(interface{ ReadBytes() (uint64, bool) })
	if !counts {
		return 0, false
	}
	return counter.ReadBytes()
}
