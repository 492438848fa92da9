// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

// Package placement says which nodes a pod could ever land on, and which it
// could land on now.
//
// Contract: pure functions; a Constraints value is immutable and may be shared.
// Where a pod's wishes can't be understood, every node counts as possible: that
// direction leads to fewer refusals. What depends on other pods (spread, pod
// affinity, volumes, host ports) is left out for the same reason: the set of
// possible nodes is a superset of the scheduler's.
//
// Units: see [Resources].
package placement

import (
	corev1 "k8s.io/api/core/v1"
)

// Node is what placement needs to know about a node.
type Node struct {
	Name string
	// Labels are the node's labels, but for kubernetes.io/hostname where Hostname is told. What is left is mostly the same for many
	// nodes, which then can have one map.
	Labels        map[string]string
	Hostname      string `json:",omitempty"`
	Taints        []corev1.Taint
	Unschedulable bool
	Ready         bool
	DiskPressure  bool
	OS            string
	Architecture  string
	// Allocatable is what the node offers to pods.
	Allocatable Resources
}

// TiedTo reports whether nodeName, nodeSelector and required node affinity let
// the pod onto n. Taints and the node's state are ignored: they come and go,
// while these three stay as the pod was written. A pod for which this is true
// of a single node is tied to that node.
func (c *Constraints) TiedTo(n *Node) bool {
	matches, _ := c.matches(n)
	return matches
}

// Possible reports whether the pod could ever land on n. What excludes a node:
// another nodeName, a selector or required affinity that does not match, another
// operating system, and a NoSchedule or NoExecute taint that means something
// lasting and is not tolerated.
//
// Not excluded are nodes that are NotReady or cordoned, and node.kubernetes.io/*
// taints, which say the same; taints that go away when a node has started
// (node.cloudprovider.kubernetes.io/uninitialized and the keys for which
// isStartup is true; nil is none). A pod with spec.nodeName passes the scheduler
// by: only NoExecute taints keep it away, as in the kubelet's own admission
// (pkg/kubelet/lifecycle/predicate.go).
func (c *Constraints) Possible(n *Node, isStartup func(taintKey string) bool) bool {
	if matches, _ := c.matches(n); !matches {
		return false
	}
	for i := range n.Taints {
		taint := &n.Taints[i]
		if c.concernedBy(taint) && Lasting(taint, isStartup) && !c.tolerates(taint, true) {
			return false
		}
	}
	return true
}

// Likely reports whether the pod could land on n now: it is possible, n is
// Ready, not cordoned, has no NoSchedule or NoExecute taint that the pod does
// not tolerate, and what is free there covers the pod's requests.
func (c *Constraints) Likely(n *Node, free Resources) bool {
	matches, understood := c.matches(n)
	if !matches || !understood || !n.Ready {
		return false
	}
	if n.Unschedulable && c.nodeName == "" && !c.tolerates(&corev1.Taint{Key: corev1.TaintNodeUnschedulable, Effect: corev1.TaintEffectNoSchedule}, false) {
		return false
	}
	for i := range n.Taints {
		if taint := &n.Taints[i]; c.concernedBy(taint) && !c.tolerates(taint, false) {
			return false
		}
	}
	return free.Cover(c.requests)
}

// matches reports whether name, operating system, selector and affinity let the
// pod onto n, and whether all of them could be understood.
func (c *Constraints) matches(n *Node) (matches, understood bool) {
	if c.nodeName != "" && c.nodeName != n.Name {
		return false, true
	}
	if c.os != "" && n.OS != "" && c.os != n.OS {
		return false, true
	}
	for key, value := range c.selector {
		if got, found := n.label(key); !found || got != value {
			return false, true
		}
	}
	if c.affinity == nil {
		return true, !c.beyond
	}
	if c.named != nil {
		if _, found := c.named[n.Name]; !found {
			return false, true
		}
	}
	node := corev1.Node{}
	node.Name, node.Labels = n.Name, n.Labels
	if c.byHostname {
		node.Labels = n.allLabels()
	}
	matches, err := c.affinity.Match(&node)
	return matches || err != nil, err == nil
}
