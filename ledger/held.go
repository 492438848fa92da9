// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"bytes"
	"iter"
	"strings"

	"k8s.io/apimachinery/pkg/types"
)

// HeldPod is what can be had of a pod for little.
type HeldPod struct {
	// Row is the pod's row but for Name, UID, NodeName and CreatedUnixSeconds: of many pods it is one and the same. It must not be
	// changed.
	Row                *Pod
	NodeName           string
	CreatedUnixSeconds int64

	parking *parking // nil if it is not parked
	place   int
}

// UID returns the pod's UID.
func (h *HeldPod) UID() types.UID {
	if h.parking == nil {
		return h.Row.UID
	}
	return h.parking.uid(h.place)
}

// Name returns the pod's name.
func (h *HeldPod) Name() string {
	if h.parking == nil {
		return h.Row.Name
	}
	return h.Row.Name + h.parking.nameEnd(h.place)
}

// CompareName is [strings.Compare] of the names of two pods.
func (h *HeldPod) CompareName(o *HeldPod) int {
	if h.parking != nil && o.parking != nil && h.Row == o.Row {
		a, b := &h.parking.pods[h.place].nameEnd, &o.parking.pods[o.place].nameEnd
		if a.length > 0 && b.length > 0 {
			return bytes.Compare(a.bytes[:a.length], b.bytes[:b.length])
		}
	}
	return strings.Compare(h.Name(), o.Name())
}

// HeldPods returns all pods that have been written and not deleted, bound to nodes that are not known, too, in no order. Writers
// wait only until it returns, not for whoever goes through them.
func (l *Ledger) HeldPods() iter.Seq[HeldPod] {
	type on struct {
		node string
		parking
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	rows, parked := make([]*Pod, 0, len(l.pods)), make([]on, 0, len(l.nodes))
	for _, p := range l.pods {
		rows = append(rows, p.pod)
	}
	for _, n := range l.nodes {
		if n.parked.len() > 0 {
			parked = append(parked, on{n.name, n.parked})
		}
	}
	return func(yield func(HeldPod) bool) {
		for _, p := range rows {
			if !yield(HeldPod{Row: p, NodeName: p.NodeName, CreatedUnixSeconds: p.CreatedUnixSeconds}) {
				return
			}
		}
		for k := range parked {
			on := &parked[k]
			for i := range on.pods {
				if !yield(HeldPod{&on.shapes[i].pod, on.node, int64(on.pods[i].createdUnixSeconds), &on.parking, i}) {
					return
				}
			}
		}
	}
}

// PodsBut returns the UIDs of the pods that have been written and not deleted, but for those given.
func (l *Ledger) PodsBut(known *UIDs) []types.UID {
	l.mu.Lock()
	defer l.mu.Unlock()
	var others []types.UID
	for uid := range l.pods {
		if !known.Has(uid) {
			others = append(others, uid)
		}
	}
	for _, n := range l.nodes {
		for i := range n.parked.pods {
			if !known.has(n.parked.pods[i].uid) {
				others = append(others, n.parked.uid(i))
			}
		}
	}
	return others
}
