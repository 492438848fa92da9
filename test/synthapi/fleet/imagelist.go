// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fleet

import "slices"

// changing is how many of a node's images come and go.
const changing = 4

// completed takes the largest of a node's own images and adds others up to most: as of old versions that nobody has removed.
// set has the own images and gets the others. What is added is not smaller than the smallest that is listed, as that would
// say that the own images that are left out are not there.
func completed(own []int, set map[int]bool, most int, seed uint64, node, list int) []int {
	slices.Sort(own)
	smallest := catalogImages
	if keep := max(most-changing, 0); len(own) > keep {
		own, smallest = own[:keep], own[keep]
	}
	all := append(make([]int, 0, most), own...)
	for try := 0; len(all) < most && try < 8*most; try++ {
		about := 0 // those that stay
		if most-len(all) <= changing {
			about = list + 1
		}
		index := drawn(smallest, seed, 60, node, about, try)
		if !set[index] {
			set[index] = true
			all = append(all, index)
		}
	}
	slices.Sort(all)
	return all
}
