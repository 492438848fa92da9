// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fit

import (
	"hash/maphash"
	"slices"
	"sync/atomic"
	"time"

	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/ledger"
)

// A workload that scales up makes hundreds of pods in a moment, and each has those before it to live with: what they have reserved
// for the same images is not in its way, and where they are being pulled for one of them its own images come, too. What nodes are to
// such pods is found out block by block when it first matters, and kept for so many kinds of pods, as long as the fleet is the latest
// one: a block takes up to 14 kB. What is of one node is kept until so many fleets in a row have passed in which no such pod came.
const maxPerspectives, maxIdleFleets = 16, 64

// perspective is from where pods of one namespace see a fleet's nodes that want a question's images.
type perspective struct {
	namespace string
	question  *question
	blocks    []atomic.Pointer[prospect]
	// before is what was found out in earlier fleets, by block, and idle how many of them have passed since.
	before []*findings
	idle   int
}

// prospect is a block from a perspective. It never changes.
type prospect struct {
	*block

	findings *findings
}

// findings are of the nodes of a block, nil for those that are to such pods what they are to nobody.
type findings [64]*finding

func (f *findings) at(at int) *finding {
	if f == nil {
		return nil
	}
	return f[at]
}

// finding is what one node, known by its ground's serial, is to such pods.
type finding struct {
	serial  uint64
	account standingAccount
}

// perspectiveOf returns that of pods of a namespace.
func (f *Fleet) perspectiveOf(q *question, namespace string) *perspective {
	known, h := f.memo.perspectives, q.hash*31+maphash.String(f.memo.seed, namespace)
	for place, to := known.set(h); place < to; place++ {
		if p := known.at(place, h); p != nil && p.question == q && p.namespace == namespace {
			return p
		}
	}
	p := &perspective{namespace: namespace, question: q, blocks: make([]atomic.Pointer[prospect], len(f.blocks)), before: make([]*findings, len(f.blocks))}
	known.put(h, p)
	return p
}

// next is the perspective in the fleet after this one, nil where nobody has asked for long, and where it needs another question.
func (p *perspective) next(f *Fleet) *perspective {
	if p.idle == maxIdleFleets || len(p.blocks) != len(f.blocks) {
		return nil
	}
	n := &perspective{namespace: p.namespace, question: p.question, blocks: make([]atomic.Pointer[prospect], len(f.blocks)), before: slices.Clone(p.before), idle: p.idle + 1}
	for i := range p.blocks {
		if known := p.blocks[i].Load(); known != nil {
			n.before[i], n.idle = known.findings, 0
		}
	}
	return n
}

// block returns a block as it is to this pod.
func (c *scan) block(i int) *block {
	if c.perspective == nil {
		return c.blocks[i]
	}
	return c.perceived(i).block
}

func (c *scan) perceived(i int) *prospect {
	if known := c.perspective.blocks[i].Load(); known != nil {
		return known
	}
	if c.perceiver == nil {
		c.perceiver = newPerceiver(c.Fleet, c.perspective)
	}
	found := c.perceiver.perceive(c.blocks[i], c.perspective.before[i])
	c.perspective.blocks[i].Store(found)
	return found
}

// perceiver finds out what nodes are from one perspective, as of the moment the fleet was built. Whoever does so at the same time
// finds the same.
type perceiver struct {
	snapshot  *ledger.Snapshot
	namespace string
	images    []imageref.Image
	accounts  *ledger.Accounts
	// change takes out what is reserved for the images.
	change *ledger.ReservedChange
}

func newPerceiver(f *Fleet, p *perspective) *perceiver {
	from := view(newSizes(f.snapshot, f.policy, nil), f.policy, time.Unix(0, f.built))
	from.Namespace = p.namespace
	for i := range p.question.images {
		from.Images = append(from.Images, p.question.images[i].Ref)
	}
	n := &perceiver{snapshot: f.snapshot, namespace: p.namespace, images: p.question.images, accounts: f.snapshot.Accounts(from)}
	n.change = n.accounts.ReservedWithout(n.images)
	return n
}

// perceive returns what a block is; before is what was found out earlier, nil for nothing. What its nodes need is the same for all.
func (p *perceiver) perceive(b *block, before *findings) *prospect {
	n, reserved := prospect{block: b, findings: p.concerned(b, before)}, p.reserved(b)
	var own *block
	for at := range places(b.nodes) {
		g := b.ground(at)
		if found := n.findings.at(at); found != nil {
			to := *g
			to.account, to.claimed, to.concerns = found.account, false, nil
			g = &to
		}
		if g == b.ground(at) && reserved[at] == b.standing(at).reserved {
			continue
		}
		if own == nil {
			own = b.successor()
		}
		own.set(at, g, g.standing(reserved[at]))
	}
	if own != nil {
		own.seal(b.serial)
		n.block = own
	}
	return &n
}

// concerned finds out about the nodes of a block that are others to such pods, and returns nil for none.
func (p *perceiver) concerned(b *block, before *findings) *findings {
	var found *findings
	for at := range places(b.claimed) {
		g := b.ground(at)
		row := p.snapshot.Row(g.id)
		if !row.Concerns(p.namespace, p.images) {
			continue
		}
		if found == nil {
			found = new(findings)
		}
		if known := before.at(at); known != nil && known.serial == g.serial {
			found[at] = known
			continue
		}
		account := p.accounts.Standing(&row)
		found[at] = &finding{g.serial, standingAccountOf(&account)}
	}
	return found
}

// reserved returns what others have reserved on the nodes of a block that want none of the images.
func (p *perceiver) reserved(b *block) *[64]ledger.Reserved {
	of := neighboursOf(b, 0)
	anew := of.Set
	if p.change != nil {
		anew = p.change.Follow(&of)
	}
	for at := range places(anew) {
		row := p.snapshot.Row(of.Rows[at])
		of.Reserved[at] = p.accounts.Reserved(&row)
	}
	return &of.Reserved
}
