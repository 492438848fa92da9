// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"fmt"
	"hash/maphash"
	"slices"
	"testing"

	"github.com/headroom-dev/headroom/imageref"
)

func TestFilterIsSureOfWhatItRulesOut(t *testing.T) {
	seed := maphash.MakeSeed()
	for _, count := range []int{0, 1, 3, 4, 5, 150, 2000} {
		var names []string
		for i := range count {
			names = append(names, fmt.Sprint("registry.example.com/app:", i))
		}
		var hashes []uint64
		for _, name := range names {
			hashes = append(hashes, maphash.String(seed, name))
		}
		f := newFilter(hashes)
		for _, name := range names {
			if !f.mayHold(maphash.String(seed, name)) {
				t.Fatalf("of %d names, %s is ruled out", count, name)
			}
		}
		wrong := 0
		for i := range 10_000 {
			if f.mayHold(maphash.String(seed, fmt.Sprint("other.example.com/app:", i))) {
				wrong++
			}
		}
		if wrong > 500 {
			t.Errorf("with %d names, %d of 10000 others may be held: the filter filters too little", count, wrong)
		}
	}
}

func TestNumbersAreGivenAnewOnlyWhenFree(t *testing.T) {
	entry := func(names ...string) ListedImage {
		var image ListedImage
		for _, name := range names {
			ref, err := imageref.Parse(name)
			if err != nil {
				t.Fatal(err)
			}
			image.Refs = append(image.Refs, ref)
		}
		return image
	}
	n := newNumbers()
	seed := maphash.MakeSeed()
	lists := func(images ...ListedImage) *imageList { return &imageList{images: n.take(images, seed)} }
	numbersOf := func(l *imageList) (all []int) {
		for _, image := range l.images {
			all = append(all, image.number)
		}
		return all
	}
	first := lists(entry("a"), entry("b", "c"), entry(), entry("a"))
	if want := []int{0, 1, -1, 0}; !slices.Equal(numbersOf(first), want) {
		t.Fatalf("the numbers are %v, want %v", numbersOf(first), want)
	}
	if first.images[0] != first.images[3] {
		t.Error("two entries that are the same are two in memory")
	}
	second := lists(entry("b", "x"), entry("d"))
	n.release(first)
	if third := lists(entry("e"), entry("b")); !slices.Equal(numbersOf(second), []int{1, 2}) || !slices.Equal(numbersOf(third), []int{0, 1}) {
		t.Errorf("the numbers are %v and %v: want b to stay 1, and e to have a's", numbersOf(second), numbersOf(third))
	}
	n.release(nil)
}
