// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fit

import (
	"github.com/headroom-dev/headroom/estimate"
	"github.com/headroom-dev/headroom/imagesize"
)

// shares are what the images of a queue and of the pod that is judged have in common on nodes of one class. Whatever a node
// has already, an image adds no less to it than it would without those in common, less what it has with them.
type shares struct {
	// with is, for each image of the queue, how much less it may add because of those before it and of the pod's, besides the
	// same because of all others.
	with, besides []int64
	// alone is what each takes at each bound if the pod's images are there.
	alone []estimate.Bytes
	// brought is, by bound, what others may bring of the pod's images.
	brought estimate.Bytes
}

// know finds out about a class, and is false where that is too much.
func (q *queue) know(c *class) bool {
	if q.shares[c] != nil {
		return true
	}
	if len(q.shares) == maxWaitingClasses {
		return false
	}
	s := q.survey
	own, layers := make([]stack, len(s.images)), 0
	for i := range s.images {
		own[i] = s.stackOf(c, s.images[i].Ref)
	}
	queued := make([]stack, len(q.images))
	for i, ref := range q.images {
		queued[i] = s.stackOf(c, ref)
	}
	for _, images := range [][]stack{own, queued} {
		for i := range images {
			layers += images[i].layers()
		}
	}
	if layers > maxWaitingLayers {
		return false
	}
	q.shares[c] = q.sharesOf(c, own, queued)
	return true
}

func (q *queue) sharesOf(c *class, own, queued []stack) *shares {
	s := q.survey
	ours, theirs, before := newPile(), newPile(), newPile()
	for i := range own {
		if !neverPulled(&s.images[i]) {
			ours.add(&own[i], nobody)
			before.add(&own[i], nobody)
		}
	}
	for i := range queued {
		theirs.add(&queued[i], i)
	}
	sh := &shares{with: make([]int64, len(queued)), besides: make([]int64, len(queued)), alone: make([]estimate.Bytes, len(queued))}
	for i := range queued {
		x := &queued[i]
		size := func(on ...*pile) imagesize.Size { return s.sizes.pull(c, x.ref, x.there(i, on...)) }
		whole := size()
		sh.with[i] = estimate.SaturatingSub(whole.Disk.Low, size(before).Disk.Low)
		sh.besides[i] = estimate.SaturatingSub(whole.Disk.Low, size(ours, theirs).Disk.Low)
		if sh.alone[i] = size(ours).Disk; whole.Source == imagesize.SourceUnknown {
			sh.alone[i] = estimate.Exactly(unbounded)
		}
		before.add(x, nobody)
	}
	for i := range own {
		x := &own[i]
		if neverPulled(&s.images[i]) {
			continue
		}
		whole, left := s.sizes.pull(c, x.ref, imagesize.There{}).Disk, estimate.Bytes{}
		if !q.awaited[i] {
			left = s.sizes.pull(c, x.ref, x.there(nobody, theirs)).Disk
		}
		sh.brought.Low = estimate.SaturatingAdd(sh.brought.Low, estimate.SaturatingSub(whole.Low, left.Low))
		sh.brought.Likely = estimate.SaturatingAdd(sh.brought.Likely, estimate.SaturatingSub(whole.Likely, left.Likely))
		sh.brought.High = estimate.SaturatingAdd(sh.brought.High, estimate.SaturatingSub(whole.High, left.High))
	}
	return sh
}

// noLarger reports whether a pod that waits adds no more to a node of the class than the pod that is judged and needs so much
// there, at each bound and whatever others have brought. What the two have in common is no difference.
func (sh *shares) noLarger(p *queued, need estimate.Bytes) bool {
	var sum estimate.Bytes
	for _, images := range [][]int{p.images, p.others} {
		for _, i := range images {
			sum = sum.Plus(sh.alone[i])
		}
	}
	return sum.Low <= estimate.SaturatingSub(need.Low, sh.brought.Low) &&
		sum.Likely <= estimate.SaturatingSub(need.Likely, sh.brought.Likely) &&
		sum.High <= estimate.SaturatingSub(need.High, sh.brought.High)
}
