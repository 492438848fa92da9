// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"fmt"
	"hash/maphash"
	"testing"

	"github.com/headroom-dev/headroom/imageref"
)

func parsed(t *testing.T, names ...string) (refs []imageref.Ref) {
	t.Helper()
	for _, name := range names {
		ref, err := imageref.Parse(name)
		if err != nil {
			t.Fatal(err)
		}
		refs = append(refs, ref)
	}
	return refs
}

// TestListsAreFoundThroughByName: lists of any length find what they have, and say of few other names that they may have them.
func TestListsAreFoundThroughByName(t *testing.T) {
	for _, count := range []int{1, 2, 50, 63, 64, 200, 255, 256, 3000, maxInTable + 1} {
		t.Run(fmt.Sprint(count, " images"), func(t *testing.T) {
			var images []ListedImage
			for i := range count {
				repository := fmt.Sprint("registry.example.com/app-", i)
				images = append(images, ListedImage{Refs: parsed(t, fmt.Sprintf("%s@sha256:%064x", repository, i), repository+":v1"), NameCount: 2, ReportedBytes: int64(i)})
			}
			list := New().newImageList(images)
			for i := 0; i < count; i += 1 + count/100 {
				elsewhere := parsed(t, fmt.Sprintf("mirror.example.com/app@sha256:%064x", i))[0]
				for _, ref := range append(images[i].Refs, elsewhere) {
					if at, found := list.find(ref); !found || at != i {
						t.Fatalf("%v is at %d, %v, want %d", ref, at, found, i)
					}
				}
				if repository := images[i].Refs[0].Repository(); !list.mayHaveRepository(repository) {
					t.Fatalf("repository %s is ruled out", repository)
				}
			}
			wrong := 0
			for i := range 1000 {
				name := fmt.Sprint("registry.example.com/other:", i)
				if list.mayHold(maphash.String(list.seed, name)) {
					wrong++
				}
				if at, found := list.find(parsed(t, name)[0]); found {
					t.Fatalf("%s, which is not listed, is at %d", name, at)
				}
			}
			if count <= 255 && wrong > 50 {
				t.Errorf("%d of 1000 other names may be listed: the table rules out too few", wrong)
			}
		})
	}
}

// Of several entries with one name the last counts, and before those with the digest alone those with the very name.
func TestOneNameInSeveralEntries(t *testing.T) {
	digest := fmt.Sprintf("@sha256:%064x", 7)
	here, there, third := parsed(t, "a.example.com/app"+digest)[0], parsed(t, "b.example.com/app"+digest)[0], parsed(t, "c.example.com/app"+digest)[0]
	list := New().newImageList([]ListedImage{
		{Refs: []imageref.Ref{here}, ReportedBytes: 1}, {Refs: []imageref.Ref{here}, ReportedBytes: 2}, {Refs: []imageref.Ref{there}, ReportedBytes: 3},
	})
	for ref, want := range map[imageref.Ref]int{here: 1, there: 2, third: 2} {
		if at, found := list.find(ref); !found || at != want {
			t.Errorf("%v is at %d, %v, want %d", ref, at, found, want)
		}
	}
}
