// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fit

import (
	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/imagesize"
)

// stack is an image with its layers, if they are known.
type stack struct {
	ref imageref.Ref
	*imagesize.Manifest
}

func (s *survey) stackOf(c *class, ref imageref.Ref) stack {
	if m := s.snapshot.Evidence(ref, c.runtime, c.platform).Manifest; m.Layered() {
		return stack{ref, m}
	}
	return stack{ref: ref}
}

func (x *stack) layers() int {
	if x.Manifest == nil {
		return 0
	}
	return len(x.Layers)
}

// there is what piles have of the image that is not from this owner alone.
func (x *stack) there(owner int, on ...*pile) imagesize.There {
	has := func(things func(*pile) map[string]int, thing string) bool {
		for _, p := range on {
			if by, found := things(p)[thing]; found && by != owner {
				return true
			}
		}
		return false
	}
	if x.Manifest == nil {
		return imagesize.There{Related: has(func(p *pile) map[string]int { return p.repositories }, x.ref.Repository())}
	}
	shared := x.SharedWithAll(
		func(i int) bool { return has(func(p *pile) map[string]int { return p.snapshots }, x.Layers[i].ChainID) },
		func(i int) bool { return has(func(p *pile) map[string]int { return p.blobs }, x.Layers[i].Digest) },
	)
	return imagesize.There{Sure: shared, Likely: shared, Possible: shared}
}

// pile is what several images hold, each thing with whose it is.
type pile struct{ snapshots, blobs, repositories map[string]int }

// nobody is no image of a queue, and several more than one.
const nobody, several = -1, -2

func newPile() *pile {
	return &pile{snapshots: make(map[string]int), blobs: make(map[string]int), repositories: make(map[string]int)}
}

func (p *pile) add(x *stack, owner int) {
	put := func(things map[string]int, thing string) {
		if by, found := things[thing]; found && by != owner {
			things[thing] = several
			return
		}
		things[thing] = owner
	}
	put(p.repositories, x.ref.Repository())
	for i := range x.layers() {
		put(p.snapshots, x.Layers[i].ChainID)
		put(p.blobs, x.Layers[i].Digest)
	}
}
