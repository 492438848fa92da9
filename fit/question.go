// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fit

import (
	"slices"
	"sync/atomic"

	"github.com/headroom-dev/headroom/estimate"
	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/ledger"
)

// question is what a fleet's nodes need for the same images. What a node needs that has nothing of them is known at once; what is
// needed where something of them may be is found out when it first matters, block by block.
type question struct {
	images []imageref.Image
	hash   uint64
	// unfit is set where what the images have in common depends on nodes that may change.
	unfit bool
	sizes *sizes // has all classes of the fleet with all images: nothing more can be asked
	// most are, by the number of the class, what a node needs at the most.
	most []most
	// replies are by block.
	replies []atomic.Pointer[replies]
}

// most is what a node of a class needs at the most, by scenario. It is plain where each image's size is told for certain.
type most struct {
	loads [2]load
	plain bool
}

func newQuestion(f *Fleet, images []imageref.Image) *question {
	q := &question{replies: make([]atomic.Pointer[replies], len(f.blocks))}
	for i := range images {
		q.images = append(q.images, imageref.Image{Ref: images[i].Ref, PullPolicy: images[i].PullPolicy})
	}
	q.sizes = newSizes(f.snapshot, f.policy, q.images)
	q.unfit = q.sizes.same != nil || relatedByName(images)
	for _, key := range f.classes {
		q.most = append(q.most, mostOf(q.sizes, q.sizes.classAt(key)))
	}
	// To hold on to the snapshot would keep it in memory for as long as nobody asks again.
	q.sizes.snapshot = nil
	return q
}

// relatedByName reports whether it would be looked up on nodes whether two of the images are the same, see sameImages.
func relatedByName(images []imageref.Image) bool {
	for i := range images {
		for k := range images[:i] {
			if images[i].Ref.Repository() == images[k].Ref.Repository() {
				return true
			}
		}
	}
	return false
}

// mostOf is what a node needs that has nothing of the images.
func mostOf(z *sizes, c *class) most {
	m := most{plain: true}
	var sum estimate.Bytes
	best, expected := &m.loads[atBestScenario], &m.loads[likelyScenario]
	for i := range c.wanted {
		size := &c.wanted[i]
		if neverPulled(&z.images[i]) {
			continue
		}
		m.plain = m.plain && certain(*size)
		sum = sum.Plus(size.Disk.AtLeastZero())
		best.peak, expected.peak = max(best.peak, size.Peak.Low), max(expected.peak, size.Peak.Likely)
		expected.inodes = estimate.SaturatingAdd(expected.inodes, max(size.Inodes, 0))
	}
	best.need, expected.need, expected.noticed = sum.Low, sum.Likely, expected.peak
	m.plain = m.plain && best.sound() && expected.sound()
	return m
}

func (q *question) is(images []imageref.Image) bool {
	if len(q.images) != len(images) {
		return false
	}
	for i := range images {
		if q.images[i].Ref != images[i].Ref || q.images[i].PullPolicy != images[i].PullPolicy {
			return false
		}
	}
	return true
}

// concerns reports whether something else is known of one of the images.
func (q *question) concerns(resized *ledger.Resized) bool {
	return slices.ContainsFunc(q.images, func(image imageref.Image) bool { return resized.Has(image.Ref) })
}

// next is the question in another fleet, in which all sizes are the same.
func (q *question) next(f *Fleet) *question {
	if len(q.replies) == len(f.blocks) && len(q.most) == len(f.classes) {
		return q
	}
	n := newQuestion(f, q.images)
	n.hash = q.hash
	for i := range q.replies {
		n.replies[i].Store(q.replies[i].Load())
	}
	return n
}
