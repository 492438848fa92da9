// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/headroom-dev/headroom/imageref"
)

// claimState is how far the node is with an image.
type claimState int

const (
	pending claimState = iota
	settled
	// spent images are in the sample; they only say whose the lost bytes were.
	spent
)

// claim is one distinct image that costs bytes which the sample does not show.
type claim struct {
	ref   imageref.Ref
	state claimState
	// baselineBytes and endBytes are what the node had lost when the first of the
	// pods was bound, and when a sample had seen the image (spent only).
	baselineBytes, endBytes int64
	// wanters are the pods that wait for it.
	wanters []wanter
	// settled and spent say that it is so for some pod; starters are the
	// namespaces of the pods for which it is settled.
	settled, spent bool
	starters       []string
}

// wanter is a bound pod that waits for an image.
type wanter struct {
	pod           types.UID
	namespace     string
	watched       bool
	baselineBytes int64
	failingSince  time.Time
	deleting      bool
	// goneAt is when the pod was deleted: nobody waits any more, but the pull may
	// have gone on until then. Zero while the pod exists.
	goneAt time.Time
}

// claimsOf finds the images that cost bytes which the sample does not show.
func claimsOf(n *nodeState, f *facts, states []*podState) []claim {
	var claims []claim
	for _, p := range states {
		for i := range p.latches {
			image, latched := &p.pod.Images[i], &p.latches[i]
			state, concerned := stateOf(n, f, states, p, i)
			if concerned {
				claims = joined(claims, image.Ref, p, state, latched)
			}
		}
	}
	if slices.ContainsFunc(claims, func(c claim) bool { return c.settled || len(c.wanters) > 0 }) {
		for image, latched := range n.parked.spent() {
			claims = joined(claims, image.Ref, nil, spent, &latched)
		}
	}
	for i := range claims {
		claims[i].decide()
	}
	return withoutIdle(claims)
}

// joined adds a pod to the claim on its image, which is one of claims from then on.
func joined(claims []claim, ref imageref.Ref, p *podState, state claimState, latched *latch) []claim {
	place, found := slices.BinarySearchFunc(claims, ref, func(c claim, ref imageref.Ref) int {
		return strings.Compare(c.ref.String(), ref.String())
	})
	if !found {
		claims = slices.Insert(claims, place, claim{ref: ref, baselineBytes: latched.baselineBytes})
	}
	claims[place].join(p, state, latched)
	return claims
}

// stateOf says how far the node is with one pod's image, and false when the image
// costs nothing and has cost nothing since the pod was bound.
func stateOf(n *nodeState, f *facts, states []*podState, p *podState, i int) (claimState, bool) {
	image, latched := &p.pod.Images[i], &p.latches[i]
	if latched.presence == Present {
		return spent, false
	}
	if image.Pulled {
		if latched.sampled || latched.presence != Absent {
			return spent, latched.sampled && latched.endBytes > latched.baselineBytes
		}
		if sampledByAnother(states, n, image.ImageID.Digest()) {
			return spent, false
		}
		return settled, true
	}
	if p.pod.Finished || image.PullPolicy == corev1.PullNever || f.of(image.Ref).pulled {
		return spent, false
	}
	if p.isGone() && latched.sampled {
		return spent, false
	}
	if n.list != nil {
		if _, listed := n.list.find(image.Ref); listed {
			return spent, false
		}
	}
	return pending, true
}

// sampledByAnother reports whether a pod that is not finished has the image of that
// digest, by whatever name, and no bytes of it are missing in the sample.
func sampledByAnother(states []*podState, n *nodeState, digest string) bool {
	if digest == "" {
		return false
	}
	return n.parked.sampled(digest) || slices.ContainsFunc(states, func(p *podState) bool {
		for i := range p.latches {
			image, latched := &p.pod.Images[i], &p.latches[i]
			if !p.pod.Finished && !p.isGone() && image.Pulled && image.ImageID.Digest() == digest && (latched.sampled || latched.presence != Absent) {
				return true
			}
		}
		return false
	})
}

// sampled is sampledByAnother for pods that are parked: the sample has seen all their images.
func (p *parking) sampled(digest string) bool {
	return slices.ContainsFunc(p.shapes, func(s *shape) bool {
		return !s.pod.Finished && slices.ContainsFunc(s.pod.Images, func(image PodImage) bool { return image.ImageID.Digest() == digest })
	})
}

// join adds a pod to a claim.
func (c *claim) join(p *podState, state claimState, latched *latch) {
	c.baselineBytes = min(c.baselineBytes, latched.baselineBytes)
	switch state {
	case pending:
		pod := p.pod
		c.wanters = append(c.wanters, wanter{
			pod: pod.UID, namespace: pod.Namespace, watched: latched.watched,
			baselineBytes: latched.baselineBytes, failingSince: latched.failingSince, deleting: pod.Deleting,
			goneAt: p.goneAt,
		})
	case settled:
		c.settled = true
		if !slices.Contains(c.starters, p.pod.Namespace) {
			c.starters = append(c.starters, p.pod.Namespace)
		}
	case spent:
		if !c.spent || latched.endBytes < c.endBytes {
			c.endBytes = latched.endBytes
		}
		c.spent = true
	}
}

// decide finds the one state of an image for which pods are in several. What a
// sample has seen for one pod is in it for all. A pod can only wait for an image
// that others had if those are finished: then it may have been removed since.
func (c *claim) decide() {
	switch {
	case c.settled && !c.spent:
		c.state = settled
	case len(c.wanters) > 0:
		c.state = pending
	default:
		c.state = spent
	}
}

// withoutIdle drops the spent claims on bytes that were lost before any pending
// or settled one began: they can't be mistaken for theirs.
func withoutIdle(claims []claim) []claim {
	first, found := int64(0), false
	for i := range claims {
		if c := &claims[i]; c.state != spent && (!found || c.baselineBytes < first) {
			first, found = c.baselineBytes, true
		}
	}
	return slices.DeleteFunc(claims, func(c claim) bool { return c.state == spent && (!found || c.endBytes <= first) })
}
