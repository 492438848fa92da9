// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fit

import (
	"hash/maphash"

	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/ledger"
	"github.com/headroom-dev/headroom/placement"
)

// Pods come many of a kind: those of a workload want the same images and may go to the same nodes. What was found out for one of
// them is remembered for the next, for so many kinds. What nodes need takes 15,000 looks to find out and a quarter of a megabyte to
// remember, so that no two kinds may be in each other's way; where pods could go takes less.
const (
	maxQuestions               = 64
	audienceSets, audienceWays = 16, 16
)

// memo is what a fleet remembers. Readers write to it, each what any other would.
type memo struct {
	seed       maphash.Seed
	questions  *shelf[question]
	audiences  *shelf[audience]
	precedents *shelf[precedent]
	// perspectives are for those whom not all nodes are what they are for nobody.
	perspectives *shelf[perspective]
	said         *kept
}

func newMemo() *memo {
	return &memo{
		seed: maphash.MakeSeed(), said: new(kept),
		questions: newShelf[question](1, maxQuestions), audiences: newShelf[audience](audienceSets, audienceWays),
		precedents: newShelf[precedent](precedentSets, precedentWays), perspectives: newShelf[perspective](1, maxPerspectives),
	}
}

// next is the memo of the fleet after this one, of whose nodes those at the places given have another row.
func (m *memo) next(f *Fleet, rows []int32, resized *ledger.Resized) *memo {
	return &memo{
		seed: m.seed, said: m.said,
		precedents:   newShelf[precedent](precedentSets, precedentWays),
		perspectives: m.perspectives.next(func(p *perspective) *perspective { return p.next(f) }),
		audiences:    m.audiences.next(func(a *audience) *audience { return a.next(f, rows) }),
		questions: m.questions.next(func(q *question) *question {
			if q.concerns(resized) {
				return nil
			}
			return q.next(f)
		}),
	}
}

// question returns what is known of the images for all nodes.
func (f *Fleet) question(images []imageref.Image) *question {
	h := uint64(len(images))
	for i := range images {
		h = h*31 + maphash.String(f.memo.seed, images[i].Ref.String())
		h = h*31 + uint64(len(images[i].PullPolicy))
	}
	known := f.memo.questions
	for place, to := known.set(h); place < to; place++ {
		if q := known.at(place, h); q != nil && q.is(images) {
			return q
		}
	}
	q := newQuestion(f, images)
	q.hash = h
	known.put(h, q)
	return q
}

// audience returns the nodes that a pod could go to.
func (f *Fleet) audience(c *placement.Constraints) *audience {
	if _, named := namedBy(c); named {
		return newAudience(f, c)
	}
	h := uint64(0)
	if c != nil {
		r := c.Requests()
		h = maphash.String(f.memo.seed, c.Key()) + uint64(r.MilliCPU)*31 + uint64(r.MemoryBytes)*37 //nolint:gosec // G115: any number will do
	}
	known := f.memo.audiences
	for place, to := known.set(h); place < to; place++ {
		if a := known.at(place, h); a != nil && a.is(c) {
			return a
		}
	}
	a := newAudience(f, c)
	a.hash = h
	known.put(h, a)
	return a
}
