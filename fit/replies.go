// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fit

import (
	"time"

	"github.com/headroom-dev/headroom/ledger"
)

// replies are what the nodes of one block need, as they were when it was found out. Nodes are known by their serials: to hold on to
// what is known of them would keep it in memory for as long as nobody asks again.
type replies struct {
	serial  uint64     // of the block
	serials [64]uint64 // of the grounds, 0 for none
	by      [64]uint8  // the part
	parts   []part
}

// part are the nodes of a block with the same reply.
type part struct {
	set uint64
	*reply
}

// reply is what one or more nodes need. It never changes.
type reply struct {
	demand

	loads [2]load
	// nothing is set where nothing at all is missing, and sound where keys can be held against the loads.
	nothing, sound bool
	// missing, unsized and waitFor mark images, as in survey.
	missing, unsized, waitFor uint32
}

// asker finds out what nodes need, for nobody in particular, as of the moment the fleet was built: whoever asks first, what is
// found out holds for as long as the grounds do.
type asker struct {
	*survey

	fleet    *Fleet
	question *question
	known    map[reply]*reply
}

func newAsker(f *Fleet, q *question) *asker {
	r := &Request{Namespace: ledger.Nobody, Images: q.images}
	return &asker{survey: newSurvey(f.snapshot, r, f.policy, time.Unix(0, f.built)), fleet: f, question: q, known: make(map[reply]*reply)}
}

// ask returns what the nodes of a block need. Whoever asks at the same time finds the same.
func (a *asker) ask(block int) *replies {
	b, before := a.fleet.blocks[block], a.question.replies[block].Load()
	n := &replies{serial: b.serial}
	for at := range places(b.nodes) {
		g := b.ground(at)
		n.serials[at] = g.serial
		if before != nil && before.serials[at] == g.serial {
			n.add(at, before.parts[before.by[at]].reply)
		} else {
			n.add(at, a.of(g))
		}
	}
	a.question.replies[block].Store(n)
	return n
}

// add puts a node into the part of those with the same reply.
func (n *replies) add(at int, r *reply) {
	for i := range n.parts {
		if p := &n.parts[i]; p.reply == r || *p.reply == *r {
			p.set |= 1 << at
			n.by[at] = uint8(i)
			return
		}
	}
	n.by[at] = uint8(len(n.parts)) //nolint:gosec // G115: there are no more parts than nodes
	n.parts = append(n.parts, part{1 << at, r})
}

func (a *asker) of(g *ground) *reply {
	clear(a.missing)
	clear(a.unsized)
	clear(a.waitFor)
	row, account := a.snapshot.Row(g.id), g.account.with(ledger.Reserved{})
	d := a.demand(&row, &account, a.sizes.classAt(g.key))
	one := reply{demand: d, loads: loadsOf(&d), nothing: d.need.IsZero() && !d.unsized}
	one.sound = one.loads[0].sound() && one.loads[1].sound()
	one.missing, one.unsized, one.waitFor = marksOf(a.missing), marksOf(a.unsized), marksOf(a.waitFor)
	known := a.known[one]
	if known == nil {
		known = &one
		a.known[one] = known
	}
	return known
}

// marksOf and mark turn marks of images into a set, and back.
func marksOf(marks []bool) (set uint32) {
	for i, marked := range marks {
		if marked {
			set |= 1 << i
		}
	}
	return set
}

func mark(marks []bool, set uint32) {
	for i := range marks {
		marks[i] = marks[i] || set&(1<<i) != 0
	}
}
