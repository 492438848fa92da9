// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"github.com/headroom-dev/headroom/estimate"
	"github.com/headroom-dev/headroom/imageref"
)

// numbers gives small numbers to the images that nodes list, by the first name of
// their entry, so that what is known of them can be found without their names. In
// all rows of one snapshot a number stands for the same image: it is given anew
// only when no node lists that image any more.
type numbers struct {
	given map[imageref.Ref]*number
	slots slots
}

// number is one image's number, and how many entries of lists have it.
type number struct{ value, entries int }

// take returns the numbers of the entries, -1 for those without a name.
func (n *numbers) take(images []ListedImage) []int {
	values := make([]int, len(images))
	for i := range images {
		values[i] = -1
		if len(images[i].Refs) == 0 {
			continue
		}
		ref := images[i].Refs[0]
		known := n.given[ref]
		if known == nil {
			known = &number{value: n.slots.take()}
			n.given[ref] = known
		}
		known.entries++
		values[i] = known.value
	}
	return values
}

// release takes the numbers of a list back; nil has none.
func (n *numbers) release(l *imageList) {
	if l == nil {
		return
	}
	for i := range l.images {
		if l.numbers[i] < 0 {
			continue
		}
		ref := l.images[i].Refs[0]
		known := n.given[ref]
		if known.entries--; known.entries == 0 {
			delete(n.given, ref)
			n.slots.release(known.value)
		}
	}
}

// numbered are sizes by number, in pages: most requests need a few of them.
type numbered struct{ pages []*[pageSize]listedSize }

const pageSize = 256

type listedSize struct {
	disk  estimate.Bytes
	known bool
}

// at returns where the size of that number is.
func (n *numbered) at(number int) *listedSize {
	for len(n.pages) <= number/pageSize {
		n.pages = append(n.pages, nil)
	}
	page := &n.pages[number/pageSize]
	if *page == nil {
		*page = new([pageSize]listedSize)
	}
	return &(*page)[number%pageSize]
}
