// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package placement

import (
	"maps"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// LabelSet is all labels of a node, for selectors.
type LabelSet struct{ node *Node }

var _ labels.Labels = LabelSet{}

// LabelSet returns the node's labels.
func (n *Node) LabelSet() LabelSet { return LabelSet{n} }

// Has implements [labels.Labels].
func (l LabelSet) Has(label string) bool {
	_, found := l.node.label(label)
	return found
}

// Get implements [labels.Labels].
func (l LabelSet) Get(label string) string {
	value, _ := l.node.label(label)
	return value
}

// Lookup implements [labels.Labels].
func (l LabelSet) Lookup(label string) (value string, found bool) { return l.node.label(label) }

func (n *Node) label(label string) (value string, found bool) {
	if label == corev1.LabelHostname && n.Hostname != "" {
		return n.Hostname, true
	}
	value, found = n.Labels[label]
	return value, found
}

// allLabels returns Labels with that of Hostname.
func (n *Node) allLabels() map[string]string {
	if n.Hostname == "" {
		return n.Labels
	}
	all := make(map[string]string, len(n.Labels)+1)
	maps.Copy(all, n.Labels)
	all[corev1.LabelHostname] = n.Hostname
	return all
}

// namesHostname reports whether a required affinity asks for the label kubernetes.io/hostname.
func namesHostname(required *corev1.NodeSelector) bool {
	if required == nil {
		return false
	}
	for i := range required.NodeSelectorTerms {
		for _, r := range required.NodeSelectorTerms[i].MatchExpressions {
			if r.Key == corev1.LabelHostname {
				return true
			}
		}
	}
	return false
}
