// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/types"

	"github.com/headroom-dev/headroom/ledger"
)

// replicas knows which pods are replicas of this process, and its place among them. They are told by their names: those of
// a Deployment begin with its name, and while it is rolled out they are of two ReplicaSets. Not safe for concurrent use.
type replicas struct {
	namespace, self, deployment string

	names        map[types.UID]string
	index, count int
}

// newReplicas returns those of the pod self, which is one without others until they are set.
func newReplicas(namespace, self string) replicas {
	return replicas{namespace: namespace, self: self, deployment: deploymentOf(self), names: make(map[types.UID]string), count: 1}
}

// deploymentOf returns the name of the Deployment whose pod has the name, empty where it can't be of one.
func deploymentOf(pod string) string {
	name := pod
	for range 2 {
		i := strings.LastIndexByte(name, '-')
		if i < 0 {
			return ""
		}
		name = name[:i]
	}
	return name
}

// set takes a pod's row into account.
func (r *replicas) set(row ledger.Pod) {
	if r.deployment == "" || row.Namespace != r.namespace || deploymentOf(row.Name) != r.deployment {
		return
	}
	if row.NodeName == "" || row.Finished || row.Deleting {
		r.remove(row.UID)
		return
	}
	if r.names[row.UID] != row.Name {
		r.names[row.UID] = row.Name
		r.recount()
	}
}

// remove forgets a pod.
func (r *replicas) remove(uid types.UID) {
	if _, known := r.names[uid]; known {
		delete(r.names, uid)
		r.recount()
	}
}

func (r *replicas) recount() {
	sorted := slices.Sorted(maps.Values(r.names))
	r.index, r.count = 0, 1
	if i, found := slices.BinarySearch(sorted, r.self); found {
		r.index, r.count = i, len(sorted)
	}
}

// place returns which of how many replicas this one is, from 0. A process that is no pod, or does not know itself yet, is
// the only one.
func (r *replicas) place() (index, count int) { return r.index, r.count }
