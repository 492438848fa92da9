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
	entries map[listedKey][]*listed
	given   map[imageref.Ref]*number
	slots   slots
	// count is how many have ever been given: while it is the same, no number stands for another image.
	count uint64
}

// number is one image's number, and how many different entries have it.
type number struct{ value, entries int }

func newNumbers() numbers {
	return numbers{entries: make(map[listedKey][]*listed), given: make(map[imageref.Ref]*number)}
}

// number returns the image's number for one entry more; -1 for no image.
func (n *numbers) number(ref imageref.Ref) int {
	if ref.IsZero() {
		return -1
	}
	known := n.given[ref]
	if known == nil {
		known = &number{value: n.slots.take()}
		n.given[ref] = known
		n.count++
	}
	known.entries++
	return known.value
}

// forget takes one entry with the image away.
func (n *numbers) forget(ref imageref.Ref) {
	known := n.given[ref]
	if known == nil {
		return
	}
	if known.entries--; known.entries == 0 {
		delete(n.given, ref)
		n.slots.release(known.value)
	}
}

// ListedSizes remembers what images that nodes list take on disk. The zero value remembers nothing. It is for one goroutine.
type ListedSizes struct {
	numbering uint64 // numbers.count as of which it holds
	kinds     map[kindKey]*numbered
}

// Forget forgets all.
func (l *ListedSizes) Forget() { l.kinds = nil }

// of returns those of a kind of nodes as of a snapshot.
func (l *ListedSizes) of(key kindKey, s *Snapshot) *numbered {
	if l.kinds == nil || l.numbering != s.numbering {
		l.kinds, l.numbering = make(map[kindKey]*numbered), s.numbering
	}
	n := l.kinds[key]
	if n == nil {
		n = new(numbered)
		l.kinds[key] = n
	}
	return n
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
