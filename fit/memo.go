// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fit

import (
	"hash/maphash"
	"sync/atomic"

	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/ledger"
	"github.com/headroom-dev/headroom/placement"
)

// Pods come many of a kind: those of a workload want the same images and may go to the same nodes. What was found out for one of
// them is remembered for the next, for so many kinds; another one that falls on the same place takes it.
const maxQuestions, maxAudiences = 64, 256

// memo is what a fleet remembers. Readers write to it, each what any other would.
type memo struct {
	seed      maphash.Seed
	questions [maxQuestions]atomic.Pointer[question]
	audiences [maxAudiences]atomic.Pointer[audience]
	said      *kept
}

func newMemo() *memo { return &memo{seed: maphash.MakeSeed(), said: new(kept)} }

// next is the memo of the fleet after this one, of whose nodes those at the places given have another row.
func (m *memo) next(f *Fleet, rows []int32, resized *ledger.Resized) *memo {
	n := &memo{seed: m.seed, said: m.said}
	for i := range m.audiences {
		if a := m.audiences[i].Load(); a != nil {
			n.audiences[i].Store(a.next(f, rows))
		}
	}
	for i := range m.questions {
		if q := m.questions[i].Load(); q != nil && !q.concerns(resized) {
			n.questions[i].Store(q.next(f))
		}
	}
	return n
}

// question returns what is known of the images for all nodes.
func (f *Fleet) question(images []imageref.Image) *question {
	h := uint64(len(images))
	for i := range images {
		h = h*31 + maphash.String(f.memo.seed, images[i].Ref.String())
		h = h*31 + uint64(len(images[i].PullPolicy))
	}
	at := &f.memo.questions[h%maxQuestions]
	if q := at.Load(); q != nil && q.is(images) {
		return q
	}
	q := newQuestion(f, images)
	at.Store(q)
	return q
}

// audience returns the nodes that a pod could go to.
func (f *Fleet) audience(c *placement.Constraints) *audience {
	if _, named := namedBy(c); named {
		return newAudience(f, c) // Each pod of a DaemonSet names another node.
	}
	h := uint64(0)
	if c != nil {
		r := c.Requests()
		h = maphash.String(f.memo.seed, c.Key()) + uint64(r.MilliCPU)*31 + uint64(r.MemoryBytes)*37 //nolint:gosec // G115: any number will do
	}
	at := &f.memo.audiences[h%maxAudiences]
	if a := at.Load(); a != nil && a.is(c) {
		return a
	}
	a := newAudience(f, c)
	at.Store(a)
	return a
}
