// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"container/list"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

const (
	// recentFor is how long a binding that was let through counts as on its way to the ledger: many times what an informer takes.
	recentFor = 5 * time.Second
	// maxRecent bounds how many are remembered: those of 3,000 bindings a second. maxRecentText bounds, in bytes, the name and the
	// UID of those: a binding is asked about before the API server has validated it.
	maxRecent     = 16_384
	maxRecentText = 253
)

// recentBindings remembers which pods were let through to which nodes a moment ago. Without it, all that a scheduler binds
// within one informer delay would find the same room. The zero value is empty. It is safe for concurrent use, and held
// to look something up.
type recentBindings struct {
	mu    sync.Mutex
	order list.List // of recentBinding, oldest first
	pods  map[types.UID]*list.Element
	nodes map[string][]types.UID // oldest first
}

type recentBinding struct {
	node string
	pod  types.UID
	at   time.Time
}

// to returns the pods that were let through to a node.
func (r *recentBindings) to(node string, now time.Time) []types.UID {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.forget(now)
	return slices.Clone(r.nodes[node])
}

// judged takes in what became of a pod's binding: a pod is on its way to one node at most.
func (r *recentBindings) judged(node string, pod types.UID, letThrough bool, now time.Time) {
	if pod == "" {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.forget(now)
	if before := r.pods[pod]; before != nil {
		r.remove(before)
	}
	if !letThrough || len(node) > maxRecentText || len(pod) > maxRecentText {
		return
	}
	if r.order.Len() == maxRecent {
		r.remove(r.order.Front())
	}
	if r.pods == nil {
		r.pods, r.nodes = make(map[types.UID]*list.Element), make(map[string][]types.UID)
	}
	r.pods[pod] = r.order.PushBack(recentBinding{node, pod, now})
	r.nodes[node] = append(r.nodes[node], pod)
}

// forget drops what is too old. The caller holds mu.
func (r *recentBindings) forget(now time.Time) {
	for e := r.order.Front(); e != nil && now.Sub(recentOf(e).at) >= recentFor; e = r.order.Front() {
		r.remove(e)
	}
}

// remove drops one. The caller holds mu.
func (r *recentBindings) remove(e *list.Element) {
	b := recentOf(e)
	r.order.Remove(e)
	delete(r.pods, b.pod)
	left := r.nodes[b.node]
	if left[0] == b.pod { // The oldest goes first, and must not move all others: it may be one of very many.
		left[0] = ""
		left = left[1:]
	} else {
		left = slices.DeleteFunc(left, func(pod types.UID) bool { return pod == b.pod })
	}
	if r.nodes[b.node] = left; len(left) == 0 {
		delete(r.nodes, b.node)
	}
}

func recentOf(e *list.Element) recentBinding {
	b, _ := e.Value.(recentBinding) // Nothing else is ever put in.
	return b
}
