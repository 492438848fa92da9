// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/headroom-dev/headroom/imageref"
)

// namesPerImage is how many names of an image the kubelet puts into
// node.status.images (MaxNamesPerImageInNodeStatus), digests first.
const namesPerImage = 5

// imageList is a node's status.images, indexed. It never changes, and lives as
// long as the list stays the same.
type imageList struct {
	images []ListedImage // nil says nothing
	// numbers are those of the images.
	numbers []int
	// byName finds an entry by each of its canonical names and by each digest
	// alone: under another repository the layers are the same ones.
	byName map[string]int
	// names holds the keys of byName.
	names filter
	// byRepository are the entries of each repository.
	byRepository map[string][]int
	// crowded are repositories with an entry whose names may have been cut.
	crowded map[string]struct{}
	// crowdedUnknown is set when names were cut of an entry without a repository.
	crowdedUnknown bool
	// pinned are the entries that the kubelet never removes.
	pinned map[int]struct{}
	// smallestBytes is the smallest reported size.
	smallestBytes int64
}

func (l *Ledger) newImageList(images []ListedImage) *imageList {
	list := &imageList{images: images, numbers: l.numbers.take(images), byName: make(map[string]int, 3*len(images)), smallestBytes: math.MaxInt64}
	for i, image := range images {
		list.smallestBytes = min(list.smallestBytes, image.ReportedBytes)
		if pinned(image) {
			if list.pinned == nil {
				list.pinned = make(map[int]struct{})
			}
			list.pinned[i] = struct{}{}
		}
		for _, ref := range image.Refs {
			list.inRepository(ref.Repository(), i)
			list.byName[ref.String()] = i
			if digest := ref.Digest(); digest != "" {
				list.byName[digest] = i
			}
		}
		if image.NameCount >= namesPerImage {
			list.crowd(image.Refs)
		}
	}
	list.names = newFilter(l.next.seed, maps.Keys(list.byName), len(list.byName))
	return list
}

func (l *imageList) inRepository(repository string, i int) {
	if l.byRepository == nil {
		l.byRepository = make(map[string][]int, len(l.images))
	}
	if entries := l.byRepository[repository]; !slices.Contains(entries, i) {
		l.byRepository[repository] = append(entries, i)
	}
}

func (l *imageList) crowd(refs []imageref.Ref) {
	if len(refs) == 0 {
		l.crowdedUnknown = true
	}
	for _, ref := range refs {
		if l.crowded == nil {
			l.crowded = make(map[string]struct{})
		}
		l.crowded[ref.Repository()] = struct{}{}
	}
}

// find returns the entry that has ref among its names, or its digest.
func (l *imageList) find(ref imageref.Ref) (int, bool) {
	if i, found := l.byName[ref.String()]; found {
		return i, true
	}
	if digest := ref.Digest(); digest != "" {
		i, found := l.byName[digest]
		return i, found
	}
	return 0, false
}

// mayHide reports whether ref may be a name that the kubelet cut off.
func (l *imageList) mayHide(ref imageref.Ref) bool {
	if l.crowdedUnknown || len(l.crowded) == 0 {
		return l.crowdedUnknown
	}
	_, crowded := l.crowded[ref.Repository()]
	return crowded
}

// maxPinnedBytes is above the sandbox images of Linux, which have less than 1 MiB.
const maxPinnedBytes = 2 << 20

// pinned reports whether the kubelet never removes the image: the sandbox image.
// The API does not publish what is pinned, so this goes by name: the last part of
// the repository is "pause", or "pause" with a prefix or suffix set off by a dash,
// as in registry.k8s.io/pause, rancher/mirrored-pause and pause-amd64. Any image
// may be named so, but one that is as small changes no answer.
func pinned(image ListedImage) bool {
	return image.ReportedBytes <= maxPinnedBytes && slices.ContainsFunc(image.Refs, func(ref imageref.Ref) bool {
		repository := ref.Repository()
		name := repository[strings.LastIndexByte(repository, '/')+1:]
		return name == "pause" || strings.HasPrefix(name, "pause-") || strings.HasSuffix(name, "-pause")
	})
}

func sameImages(a, b []ListedImage) bool {
	return (a == nil) == (b == nil) && slices.EqualFunc(a, b, func(x, y ListedImage) bool {
		return x.NameCount == y.NameCount && x.ReportedBytes == y.ReportedBytes && slices.Equal(x.Refs, y.Refs)
	})
}
