// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// goneMemory is how long a node remembers a pod that has been deleted. By then it
// has been sampled, and its image list, which is up to 40 seconds behind, is new.
const goneMemory = 2 * time.Minute

// goneLimit bounds how many such pods a node remembers; the oldest go first.
const goneLimit = 256

// remember keeps what a bound pod that is being deleted has taken of the node's
// disk and neither its sample nor its list may show. now is our clock.
func (n *nodeState) remember(p *podState, now time.Time) {
	if n.node == nil {
		return
	}
	var gone *podState
	for i := range p.latches {
		image, latched := &p.pod.Images[i], &p.latches[i]
		_, listed := n.list.find(image.Ref)
		unsampled := image.Pulled && latched.presence == Absent && !latched.sampled
		if mayLeave(p.pod, image) && (!listed || unsampled) {
			if gone == nil {
				gone = &podState{goneAt: now, pod: &Pod{
					UID: p.pod.UID, Namespace: p.pod.Namespace, Name: p.pod.Name, NodeName: p.pod.NodeName,
					Finished: p.pod.Finished, Deleting: p.pod.Deleting,
				}}
			}
			gone.pod.Images = append(gone.pod.Images, *image)
			gone.latches = append(gone.latches, *latched)
		}
	}
	if gone == nil {
		return
	}
	n.settle(gone)
	if len(n.gone) >= goneLimit {
		n.gone = slices.Clone(n.gone[1:])
	}
	n.gone = append(n.gone, gone)
}

// mayLeave reports whether a pod that goes may leave an image on its node: it has
// pulled it, or was about to.
func mayLeave(pod *Pod, image *PodImage) bool {
	return image.Pulled || !pod.Finished && image.PullPolicy != corev1.PullNever
}

// forgetGone drops the pods that a node has remembered for long enough by now.
// Every write that knows the time and names the node begins with it.
func (l *Ledger) forgetGone(node string, now time.Time) {
	n := l.nodes[node]
	if n == nil || !slices.ContainsFunc(n.gone, func(p *podState) bool { return p.isForgotten(now) }) {
		return
	}
	n.gone = slices.DeleteFunc(slices.Clone(n.gone), func(p *podState) bool { return p.isForgotten(now) })
	n.facts = nil
	l.changeRow(n)
}

func (p *podState) isGone() bool { return !p.goneAt.IsZero() }

func (p *podState) isForgotten(now time.Time) bool { return now.Sub(p.goneAt) >= goneMemory }
