// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fit

import (
	"sync/atomic"
	"time"

	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/ledger"
)

// What pods that wait have reserved for some images is not in the way of a pod that wants them, too. A workload that scales up makes
// hundreds of such pods in a moment, each of which has those before it to wait with; so blocks without it are made once, each when it
// first matters, and kept for as long as the fleet is the latest. For so many kinds of images: a block takes 11 kB.
const maxReliefs = 16

// relief is a fleet's blocks without what is reserved for the images of a question, nil where nobody has asked.
type relief struct {
	question *question
	blocks   []atomic.Pointer[block]
}

// reliefOf returns the blocks without what is reserved for those images.
func (f *Fleet) reliefOf(q *question) *relief {
	known := f.memo.reliefs
	for place, to := known.set(q.hash); place < to; place++ {
		if r := known.at(place, q.hash); r != nil && r.question == q {
			return r
		}
	}
	r := &relief{question: q, blocks: make([]atomic.Pointer[block], len(f.blocks))}
	known.put(q.hash, r)
	return r
}

// block returns a block with what is reserved there as far as it is in this pod's way.
func (c *scan) block(i int) *block {
	if c.relief == nil {
		return c.blocks[i]
	}
	if b := c.relief.blocks[i].Load(); b != nil {
		return b
	}
	if c.reliever == nil {
		c.reliever = newReliever(c.Fleet, c.question.images)
	}
	b := c.reliever.relieved(c.blocks[i])
	c.relief.blocks[i].Store(b)
	return b
}

// reliever takes out what is reserved for some images. Whoever does so at the same time finds the same.
type reliever struct {
	snapshot *ledger.Snapshot
	change   *ledger.ReservedChange
	// others draws up what is reserved for others, where that does not follow from the change.
	others *ledger.Accounts
}

func newReliever(f *Fleet, images []imageref.Image) *reliever {
	v := newSurveyor(f.snapshot, f.policy, time.Unix(0, f.built), f.serials)
	from := view(v.sizes, f.policy, v.now)
	from.Namespace = ledger.Nobody
	for i := range images {
		from.Images = append(from.Images, images[i].Ref)
	}
	return &reliever{snapshot: f.snapshot, change: v.accounts.ReservedWithout(images), others: f.snapshot.Accounts(from)}
}

func (r *reliever) relieved(b *block) *block {
	of := neighboursOf(b, 0)
	anew := of.Set
	if r.change != nil {
		anew = r.change.Follow(&of)
	}
	for at := range places(anew) {
		row := r.snapshot.Row(of.Rows[at])
		of.Reserved[at] = r.others.Reserved(&row)
	}
	n := *b
	for at := range places(of.Set) {
		if of.Reserved[at] != b.standings[at].reserved {
			n.standings[at] = b.grounds[at].standing(of.Reserved[at])
		}
	}
	n.seal(b.serial)
	return &n
}
