// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

const (
	// recentFor is how long a binding that was let through counts as on its way to the ledger: many times what an informer takes.
	recentFor = 5 * time.Second
	// maxRecent bounds how many are remembered, maxRecentText the length of a name or a UID of those: a binding is asked about before
	// the API server has validated it.
	maxRecent     = 4096
	maxRecentText = 253
)

// recentBindings remembers, oldest first, which pods were let through to which nodes a moment ago. Without it, all that a
// scheduler binds within one informer delay would find the same room. Not safe for concurrent use.
type recentBindings struct {
	all []recentBinding
}

type recentBinding struct {
	node string
	pod  types.UID
	at   time.Time
}

// to returns the pods that were let through to a node, and forgets what is older.
func (r *recentBindings) to(node string, now time.Time) (pods []types.UID) {
	young := slices.IndexFunc(r.all, func(b recentBinding) bool { return now.Sub(b.at) < recentFor })
	if young < 0 {
		young = len(r.all)
	}
	r.all = slices.Delete(r.all, 0, young)
	for i := range r.all {
		if r.all[i].node == node {
			pods = append(pods, r.all[i].pod)
		}
	}
	return pods
}

// judged takes in what became of a pod's binding.
func (r *recentBindings) judged(node string, pod types.UID, letThrough bool, now time.Time) {
	r.all = slices.DeleteFunc(r.all, func(b recentBinding) bool { return b.pod == pod })
	if !letThrough || len(node) > maxRecentText || len(pod) > maxRecentText {
		return
	}
	if len(r.all) == maxRecent {
		r.all = slices.Delete(r.all, 0, 1)
	}
	r.all = append(r.all, recentBinding{node, pod, now})
}
