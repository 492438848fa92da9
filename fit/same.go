// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fit

import (
	"slices"

	"github.com/headroom-dev/headroom/estimate"
	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/ledger"
)

// maxLookedUp bounds for how many of a pod's images all nodes are searched for a digest.
const maxLookedUp = 8

// sameImages returns, for each image, the index of the first one that is known to be the same under another name: by tag
// and by digest, or at a mirror. Nil where no two are. A pod that names an image twice pulls it once.
func sameImages(s *ledger.Snapshot, images []imageref.Image) []int {
	if len(images) < 2 {
		return nil
	}
	repositories := make(map[string]int, len(images))
	for i := range images {
		repositories[images[i].Ref.Repository()]++
	}
	firsts, byDigest := make([]int, len(images)), make(map[string]int, len(images))
	found, lookedUp := false, 0
	for i := range images {
		firsts[i] = i
		if neverPulled(&images[i]) {
			continue
		}
		ref := images[i].Ref
		lookUp := repositories[ref.Repository()] > 1 && ref.Digest() == "" && lookedUp < maxLookedUp
		if lookUp {
			lookedUp++
		}
		digests := digestsOf(s, ref, lookUp)
		for _, digest := range digests {
			if first, known := byDigest[digest]; known {
				firsts[i], found = min(firsts[i], first), true
			}
		}
		for _, digest := range digests {
			if _, known := byDigest[digest]; !known {
				byDigest[digest] = firsts[i]
			}
		}
	}
	if !found {
		return nil
	}
	return firsts
}

// digestsOf returns the digests that an image is known to have: its own, else what a registry resolved its tag to, and, if
// wanted, those of the first node that lists it.
func digestsOf(s *ledger.Snapshot, ref imageref.Ref, lookUp bool) []string {
	if digest := ref.Digest(); digest != "" {
		return []string{digest}
	}
	var digests []string
	for _, p := range s.Platforms() {
		if m := s.Evidence(ref, "", p).Manifest; m != nil && m.Digest != "" && !slices.Contains(digests, m.Digest) {
			digests = append(digests, m.Digest)
		}
	}
	if !lookUp {
		return digests
	}
	for row := range s.Nodes() {
		entry, listed := row.Listed(ref)
		if !listed {
			continue
		}
		for _, name := range entry.Refs {
			if digest := name.Digest(); digest != "" && !slices.Contains(digests, digest) {
				digests = append(digests, digest)
			}
		}
		break
	}
	return digests
}

// pulls reports whether one of the images that a node pulls is this one, by its name or by its digest.
func pulls(pulling []imageref.Ref, ref imageref.Ref) bool {
	digest := ref.Digest()
	return slices.ContainsFunc(pulling, func(p imageref.Ref) bool { return p == ref || digest != "" && p.Digest() == digest })
}

// once adds up costs by image; of one with several names each bound is the least, but for the highest.
type once struct {
	firsts []int
	costs  []estimate.Bytes
	seen   []bool
	total  estimate.Bytes
}

func (o *once) add(image int, cost estimate.Bytes) {
	if o.firsts == nil {
		o.total = o.total.Plus(cost)
		return
	}
	if o.costs == nil {
		o.costs, o.seen = make([]estimate.Bytes, len(o.firsts)), make([]bool, len(o.firsts))
	}
	switch first := o.firsts[image]; {
	case o.seen[first]:
		before := o.costs[first]
		o.costs[first] = estimate.Between(min(before.Low, cost.Low), min(before.Likely, cost.Likely), max(before.High, cost.High))
	default:
		o.costs[first], o.seen[first] = cost, true
	}
}

func (o *once) sum() estimate.Bytes { return o.total.Plus(estimate.Sum(o.costs...)) }
