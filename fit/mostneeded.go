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
	// maxCompared is for how many, times the kinds of nodes, it is found out which of them need most; maxScanned how many, times
	// the kinds, are searched for those of which anything is known: with a kind or two all that a request has room for.
	maxCompared, maxScanned = 1 << 12, 1 << 17
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
	compared := z.known(images, max(maxCompared/max(len(z.classes), 1), maxImages))
	z.same = sameImages(s, compared)
	var chosen []int
	for _, n := range needs(z, compared) {
		if len(chosen)+len(n.names) <= maxImages {
			chosen = append(chosen, n.names...)
		}
	}
	slices.Sort(chosen)
	for _, i := range chosen {
		looked = append(looked, compared[i])
	}
	return looked, len(images) - len(looked)
}

// known returns some of the images, in their order: first of all those of which somebody tells a size.
func (z *sizes) known(images []imageref.Image, most int) []imageref.Image {
	if len(images) <= most {
		return images
	}
	kinds := make(map[classKey]bool, len(z.classes))
	for _, c := range z.classes {
		kinds[classKey{runtime: c.runtime, platform: c.platform}] = true
	}
	images = images[:min(len(images), maxScanned/max(len(kinds), 1))]
	told := func(ref imageref.Ref) bool {
		for kind := range kinds {
			if e := z.snapshot.Evidence(ref, kind.runtime, kind.platform); e.Told() {
				return true
			}
		}
		return z.operatorBytes(ref) > 0
	}
	var chosen, others []int
	for i := range images {
		switch {
		case len(chosen) < most && told(images[i].Ref):
			chosen = append(chosen, i)
		case len(others) < most:
			others = append(others, i)
		}
	}
	chosen = append(chosen, others[:min(len(others), most-len(chosen))]...)
	slices.Sort(chosen)
	some := make([]imageref.Image, 0, len(chosen))
	for _, i := range chosen {
		some = append(some, images[i])
	}
	return some
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
