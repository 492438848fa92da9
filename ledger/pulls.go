// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"slices"

	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/imagesize"
)

// Pulls are what a pod pulls on one node, one image after the other: what one brings, those after it need not bring again.
// They are made by [Accounts.Pulls].
type Pulls struct {
	c     *accountant
	taken []taken
	// asked is the image that was asked about last: it is mostly the next to be taken.
	asked    imageref.Ref
	askedFor *known
}

type taken struct {
	repository string
	layered    bool // its layers are known
	image      numberedImage
	group      int
}

// Pulls begins with no image taken. The row must be of the same snapshot; the result is good until [Accounts.Pulls], Of or
// another method asks about another node.
func (a *Accounts) Pulls(row *NodeRow) *Pulls {
	p := &a.pulls
	*p = Pulls{c: a.on(row), taken: p.taken[:0]}
	return p
}

// Size returns what pulling an image adds to the node's disk, with the layers that are there, those of images that are on
// their way, and those of the images that were taken but for those of the same group: each as far as it is known.
func (p *Pulls) Size(ref imageref.Ref, group int) imagesize.Size {
	x := p.layersOf(ref)
	there := p.c.thereOf(ref, x, p.c.ahead)
	if x != nil {
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
	t := taken{repository: ref.Repository(), group: group}
	if x := p.layersOf(ref); x != nil {
		t.layered, t.image = true, p.c.numbered(x)
	}
	p.taken = append(p.taken, t)
}

func (p *Pulls) layersOf(ref imageref.Ref) *known {
	if ref != p.asked {
		p.asked, p.askedFor = ref, p.c.s.layersOf(ref, p.c.kind.platform)
	}
	return p.askedFor
}

func (p *Pulls) shared(x *known, group int) imagesize.Shared {
	var shared imagesize.Shared
	sharing := p.c.sharingOf(x)
	for i := range p.taken {
		if t := &p.taken[i]; t.group != group && t.layered {
			shared = shared.Or(sharing.with(t.image))
		}
	}
	return shared
}

func (p *Pulls) related(repository string, group int) bool {
	return slices.ContainsFunc(p.taken, func(t taken) bool { return t.group != group && t.repository == repository })
}
