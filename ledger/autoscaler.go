// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package ledger

import "slices"

// Autoscaler is what one that adds nodes tells of itself. The zero value is that
// there is none.
type Autoscaler struct {
	// Present is set where there is one, or where nobody knows whether there is.
	Present bool
	// Groups are the groups of nodes that it scales; none where it does not tell
	// of them, as while it starts, or where nobody can read what it tells.
	Groups []NodeGroup
}

// NodeGroup is a group of nodes that an autoscaler scales.
type NodeGroup struct {
	Name string
	// Nodes is how many of its nodes have joined the cluster, MaxNodes how many it
	// may have.
	Nodes, MaxNodes int
}

// Unseen reports whether nodes may be added of a kind that has none now, for all
// that is known: nobody knows their disks.
func (a Autoscaler) Unseen() bool {
	empty := func(g NodeGroup) bool { return g.Nodes <= 0 && g.MaxNodes > 0 }
	return a.Present && (len(a.Groups) == 0 || slices.ContainsFunc(a.Groups, empty))
}

// Full reports whether it is known that no group may get another node.
func (a Autoscaler) Full() bool {
	grows := func(g NodeGroup) bool { return g.Nodes < g.MaxNodes }
	return len(a.Groups) > 0 && !slices.ContainsFunc(a.Groups, grows)
}

func (a Autoscaler) same(o Autoscaler) bool {
	return a.Present == o.Present && slices.Equal(a.Groups, o.Groups)
}

// SetAutoscaler writes all that is known of the cluster's autoscaler.
func (l *Ledger) SetAutoscaler(a Autoscaler) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.next.autoscaler.same(a) {
		return
	}
	l.next.autoscaler, l.changed = a, true
	l.publish()
}

// Autoscaler returns what is known of the cluster's autoscaler. It must not be
// changed.
func (s *Snapshot) Autoscaler() Autoscaler { return s.autoscaler }
