// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/imagesize"
)

// fewPulls is up to how many images it takes less time to compare each one with those before than to remember what they bring.
// Beyond, comparing would take time by the square of their number on each node.
const fewPulls = 16

// Pulls are what a pod pulls on one node, one image after the other: what one brings, those after it need not bring again.
// They are made by [Accounts.Pulls].
type Pulls struct {
	c *accountant
	// taken are the images that have been taken, as long as they are few; brought is what they bring once they are not.
	taken   []taken
	brought *brought
	// spare is what brought was on an earlier node.
	spare *brought
}

type taken struct {
	ref   imageref.Ref
	known *known
	group int
}

// Pulls begins with no image taken. The row must be of the same snapshot; the result is good until [Accounts.Pulls], Of or
// another method asks about another node.
func (a *Accounts) Pulls(row *NodeRow) *Pulls {
	p := &a.pulls
	*p = Pulls{c: a.on(row), taken: p.taken[:0], spare: p.spare}
	return p
}

// Size returns what pulling an image adds to the node's disk, with the layers that are there, those of images that are on
// their way, and those of the images that were taken but for those of the same group: each as far as it is known.
func (p *Pulls) Size(ref imageref.Ref, group int) imagesize.Size {
	there := p.c.there(ref, p.c.ahead)
	if x := p.c.s.layersOf(ref, p.c.kind.platform); x != nil {
		shared := p.shared(x, group)
		there.Sure, there.Likely, there.Possible = there.Sure.Or(shared), there.Likely.Or(shared), there.Possible.Or(shared)
	} else {
		there.Related = there.Related || p.related(ref.Repository(), group)
	}
	return p.c.sizeWith(ref, there)
}

// Take adds an image to those that are pulled before the next. Images of one group are one image by several names: they bring
// nothing to each other, for whoever counts them counts them once.
func (p *Pulls) Take(ref imageref.Ref, group int) {
	t := taken{ref: ref, known: p.c.s.layersOf(ref, p.c.kind.platform), group: group}
	if p.brought != nil {
		p.brought.add(&t)
		return
	}
	p.taken = append(p.taken, t)
	if len(p.taken) > fewPulls {
		if p.spare == nil {
			p.spare = newBrought()
		}
		p.brought = p.spare
		p.brought.forget()
		for i := range p.taken {
			p.brought.add(&p.taken[i])
		}
	}
}

func (p *Pulls) shared(x *known, group int) imagesize.Shared {
	if p.brought != nil {
		return p.brought.shared(x, group)
	}
	var shared imagesize.Shared
	for i := range p.taken {
		if t := &p.taken[i]; t.group != group && t.known != nil {
			shared = shared.Or(p.c.shared(x, t.known))
		}
	}
	return shared
}

func (p *Pulls) related(repository string, group int) bool {
	if p.brought != nil {
		return p.brought.repositories.hasOther(repository, group)
	}
	for i := range p.taken {
		if t := &p.taken[i]; t.group != group && t.ref.Repository() == repository {
			return true
		}
	}
	return false
}

// brought is what many images bring, each thing with the group that brings it.
type brought struct {
	repositories     groups[string]
	images           groups[*known]
	snapshots, blobs groups[uint64]
}

func newBrought() *brought {
	return &brought{repositories: groups[string]{}, images: groups[*known]{}, snapshots: groups[uint64]{}, blobs: groups[uint64]{}}
}

func (b *brought) forget() {
	clear(b.repositories)
	clear(b.images)
	clear(b.snapshots)
	clear(b.blobs)
}

func (b *brought) add(t *taken) {
	b.repositories.add(t.ref.Repository(), t.group)
	if t.known == nil {
		return
	}
	b.images.add(t.known, t.group)
	for _, layer := range t.known.snapshots {
		b.snapshots.add(layer, t.group)
	}
	for _, layer := range t.known.blobs {
		b.blobs.add(layer, t.group)
	}
}

// shared is what SharedWith of each image finds, taken together.
func (b *brought) shared(x *known, group int) imagesize.Shared {
	if b.images.hasOther(x, group) {
		return imagesize.All(&x.Manifest)
	}
	return x.SharedWithAll(
		func(i int) bool { return b.snapshots.hasOther(x.snapshots[i], group) },
		func(i int) bool { return b.blobs.hasOther(x.blobs[i], group) },
	)
}

// groups says of things which group has them: severalGroups where more than one has.
type groups[T comparable] map[T]int

const severalGroups = -1

func (g groups[T]) add(thing T, group int) {
	if before, found := g[thing]; found && before != group {
		group = severalGroups
	}
	g[thing] = group
}

func (g groups[T]) hasOther(thing T, group int) bool {
	has, found := g[thing]
	return found && has != group
}
