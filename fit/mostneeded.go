// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fit

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/headroom-dev/headroom/estimate"
	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/ledger"
	"github.com/headroom-dev/headroom/policy"
)

// maxImages is how many of a pod's images are looked at: more than pods have that do something. Each costs time at every node,
// and a pod can name tens of thousands.
const maxImages = 64

// mostNeeded returns the images that are looked at, in their order, and how many are left out: those of which the least is known
// that they need. A pod's need is then no more than it is, which is what a refusal rests on.
func mostNeeded(s *ledger.Snapshot, p *policy.Policy, images []imageref.Image) (looked []imageref.Image, leftOut int) {
	if len(images) <= maxImages {
		return images, 0
	}
	z := newSizes(s, p, nil)
	for row := range s.Nodes() {
		z.classOf(row)
	}
	needs := make([]estimate.Bytes, len(images))
	order := make([]int, len(images))
	for i := range images {
		order[i] = i
		for _, c := range z.classes {
			size := z.lookUp(c, images[i].Ref)
			if size.Known() && !neverPulled(&images[i]) {
				needs[i].Low, needs[i].Likely = max(needs[i].Low, size.Disk.Low), max(needs[i].Likely, size.Disk.Likely)
			}
		}
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Or(cmp.Compare(needs[b].Low, needs[a].Low), cmp.Compare(needs[b].Likely, needs[a].Likely))
	})
	order = order[:maxImages]
	slices.Sort(order)
	for _, i := range order {
		looked = append(looked, images[i])
	}
	return looked, len(images) - maxImages
}

// unlooked says that images are left out.
func unlooked(leftOut int) imageref.Invalid {
	return imageref.Invalid{Field: "spec", Err: fmt.Errorf("of %d images the %d largest are looked at", leftOut+maxImages, maxImages)}
}
