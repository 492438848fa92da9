// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/headroom-dev/headroom/imageref"
)

// calmSamples is how many samples in a row must have seen nothing under way before a
// pull can be watched. One is not enough: what a runtime throws away after a pull,
// such as compressed layers, goes a moment later.
const calmSamples = 2

// watch is a pull that began while nothing else was going on at its node.
type watch struct {
	pod types.UID
	ref imageref.Ref
	// availableBytes is what the sample before it said.
	availableBytes int64
	// seen says that a sample was taken after its end. The next one counts.
	seen bool
}

// begin looks at a pod that was not bound to the node before.
func (l *Ledger) begin(n *nodeState, p *podState) {
	var pulled []imageref.Ref
	for i := range p.latches {
		image := &p.pod.Images[i]
		if image.PullPolicy == corev1.PullNever {
			continue
		}
		if p.latches[i].presence == Present {
			if image.PullPolicy == corev1.PullAlways && !image.Pulled && image.Ref.Digest() == "" {
				n.disturb() // The tag may have moved.
				return
			}
			continue
		}
		if p.latches[i].presence != Absent || image.Pulled || p.pod.Finished {
			n.disturb()
			return
		}
		pulled = append(pulled, image.Ref)
	}
	switch {
	case len(pulled) == 0:
	case len(pulled) > 1, n.calm < calmSamples, n.watch != nil, n.measurement == nil, l.underWay(n) > 1:
		n.disturb()
	default:
		n.watch = &watch{pod: p.pod.UID, ref: pulled[0], availableBytes: n.measurement.AvailableBytes}
	}
}

// disturb ends what is being watched: something else changes the disk.
func (n *nodeState) disturb() { n.watch, n.calm = nil, 0 }

// underWay is how many images' bytes are expected that no sample has seen.
func (l *Ledger) underWay(n *nodeState) int {
	if n.node == nil {
		return 0
	}
	l.withFacts(n)
	count := 0
	for i := range n.facts.claims {
		if n.facts.claims[i].state != spent {
			count++
		}
	}
	return count
}

// observe looks at a new sample, once it has settled what it has seen.
func (l *Ledger) observe(n *nodeState) {
	if !l.synced || n.node == nil {
		return
	}
	if l.underWay(n) == 0 {
		n.calm = min(n.calm+1, calmSamples)
	}
	w := n.watch
	if w == nil {
		return
	}
	place, held := n.placeOf(w.pod)
	if !held {
		n.disturb()
		return
	}
	p := n.pods[place]
	i := slices.IndexFunc(p.pod.Images, func(image PodImage) bool { return image.Ref == w.ref })
	switch {
	case i < 0:
		n.disturb()
	case !p.latches[i].sampled:
	case !w.seen:
		w.seen = true
	default:
		n.watch = nil
		if len(l.watched) == maxObservations {
			l.watched = slices.Clone(l.watched[1:])
		}
		l.watched = append(l.watched, Observation{
			Node: n.name, Pod: w.pod, Namespace: p.pod.Namespace, Ref: w.ref,
			TakenBytes: max(w.availableBytes-n.measurement.AvailableBytes, 0),
		})
	}
}

// lost reports whether a list lacks an image that the one before had.
func (l *imageList) lost(before *imageList) bool {
	if before == nil || l.images == nil {
		return false
	}
	return slices.ContainsFunc(before.images, func(image *listed) bool {
		return !slices.ContainsFunc(image.Refs, func(ref imageref.Ref) bool { _, found := l.find(ref); return found })
	})
}
