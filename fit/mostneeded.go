// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fit

import (
	"cmp"
	"slices"

	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/ledger"
	"github.com/headroom-dev/headroom/policy"
)

const (
	// maxImages is how many of a pod's images are looked at: more than pods have that do something. Each costs time at every
	// node, and a pod can name tens of thousands.
	maxImages = 32
	// maxCompared is for how many, times the kinds of nodes, it is looked up which of them need most.
	maxCompared = 4096
)

// mostNeeded returns the images that are looked at, in their order, and how many are left out: those of which the least is known
// that they need, and those that come last of too many. A pod's need is then no more than it is, which is what a refusal rests
// on. Names of one image stay together: one of them may be on a node, by which the others cost nothing there.
func mostNeeded(s *ledger.Snapshot, p *policy.Policy, images []imageref.Image) (looked []imageref.Image, leftOut int) {
	if len(images) <= maxImages {
		return images, 0
	}
	z := newSizes(s, p, nil)
	for row := range s.Nodes() {
		z.classOf(row)
	}
	compared := images[:min(len(images), max(maxCompared/max(len(z.classes), 1), maxImages))]
	z.same = sameImages(s, compared)
	var chosen []int
	for _, n := range needs(z, compared) {
		if len(chosen)+len(n.names) <= maxImages {
			chosen = append(chosen, n.names...)
		}
	}
	slices.Sort(chosen)
	for _, i := range chosen {
		looked = append(looked, images[i])
	}
	return looked, len(images) - len(looked)
}

// need is what an image needs at the most of all kinds of nodes, as far as that is known.
type need struct {
	names       []int // the places of its names
	low, likely int64
}

// needs returns what the images need, the greatest first.
func needs(z *sizes, images []imageref.Image) []need {
	all := make([]need, 0, len(images))
	places := make(map[int]int, len(images))
	for i := range images {
		place, found := places[z.group(i)]
		if !found {
			place = len(all)
			places[z.group(i)] = place
			all = append(all, need{})
		}
		n := &all[place]
		n.names = append(n.names, i)
		if neverPulled(&images[i]) {
			continue
		}
		for _, c := range z.classes {
			if size := z.lookUp(c, images[i].Ref); size.Known() {
				n.low, n.likely = max(n.low, size.Disk.Low), max(n.likely, size.Disk.Likely)
			}
		}
	}
	slices.SortStableFunc(all, func(a, b need) int {
		return cmp.Or(cmp.Compare(b.low, a.low), cmp.Compare(b.likely, a.likely))
	})
	return all
}
