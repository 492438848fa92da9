// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"hash/maphash"
	"iter"
	"math"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/headroom-dev/headroom/imageref"
)

// namesPerImage is how many names of an image the kubelet puts into
// node.status.images (MaxNamesPerImageInNodeStatus), digests first.
const namesPerImage = 5

// imageList is a node's status.images, indexed. It never changes, and lives as
// long as the list stays the same.
type imageList struct {
	images []*listed // nil says nothing
	// byName finds an entry by each of its names as of knownAs, and knows the repositories.
	byName nameTable
	seed   maphash.Seed
	// crowded are repositories with an entry whose names may have been cut.
	crowded map[string]struct{}
	// crowdedUnknown is set when names were cut of an entry without a repository.
	crowdedUnknown bool
	// pinned are the entries that the kubelet never removes.
	pinned bitset
	// smallestBytes is the smallest reported size.
	smallestBytes int64

	layers atomic.Pointer[listLayers]
}

func (l *Ledger) newImageList(images []ListedImage) *imageList {
	list := &imageList{images: l.numbers.take(images, l.next.seed), seed: l.next.seed, smallestBytes: math.MaxInt64}
	for i, image := range list.images {
		list.smallestBytes = min(list.smallestBytes, image.ReportedBytes)
		if pinned(image.ListedImage) {
			list.pinned.set(i, true)
		}
		if image.NameCount >= namesPerImage {
			list.crowd(image.Refs)
		}
	}
	list.byName = newNameTable(list.images)
	return list
}

// moved is the same list in other memory: what was made while the first lists came lies among what these have left behind.
func (l *imageList) moved() *imageList {
	return &imageList{
		images: slices.Clone(l.images), byName: slices.Clone(l.byName), seed: l.seed, crowded: l.crowded, crowdedUnknown: l.crowdedUnknown,
		pinned: l.pinned, smallestBytes: l.smallestBytes,
	}
}

// mayHold reports whether some entry may have a name, or be of a repository, with that hash. False is sure.
func (l *imageList) mayHold(hash uint64) bool {
	if l.byName == nil {
		return len(l.images) > 0
	}
	return l.byName.mayHold(len(l.images), hash)
}

// mayHaveRepository reports whether some entry may be of the repository. False is sure.
func (l *imageList) mayHaveRepository(repository string) bool {
	return l.mayHold(maphash.String(l.seed, repository))
}

// ofRepository returns the places of the entries that have a name in the repository.
func (l *imageList) ofRepository(repository string) iter.Seq[int] {
	return func(yield func(int) bool) {
		if !l.mayHaveRepository(repository) {
			return
		}
		for i, image := range l.images {
			if slices.ContainsFunc(image.Refs, func(ref imageref.Ref) bool { return ref.Repository() == repository }) && !yield(i) {
				return
			}
		}
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
	i, found := l.named(knownAs(ref))
	if !found || ref.Digest() == "" || slices.Contains(l.images[i].Refs, ref) {
		return i, found
	}
	for k, image := range slices.Backward(l.images) { // Another entry may have the very name.
		if slices.Contains(image.Refs, ref) {
			return k, true
		}
	}
	return i, true
}

// named returns the entry that has a name as of knownAs.
func (l *imageList) named(name string) (int, bool) {
	if len(l.images) == 0 {
		return 0, false
	}
	return l.hashed(maphash.String(l.seed, name))
}

// hashed is named by the name's hash.
func (l *imageList) hashed(hash uint64) (int, bool) {
	if l.byName != nil {
		return l.byName.find(l.images, hash)
	}
	for i, image := range slices.Backward(l.images) {
		if image.has(hash) {
			return i, true
		}
	}
	return 0, false
}

// nameHash is the hash by which every set of images can be asked.
func nameHash(seed maphash.Seed, ref imageref.Ref) uint64 { return maphash.String(seed, knownAs(ref)) }

// knownAs is the name by which an image is known on a node: its digest alone, if it has one, as under another repository the layers
// are the same ones; or its canonical name.
func knownAs(ref imageref.Ref) string {
	if digest := ref.Digest(); digest != "" {
		return digest
	}
	return ref.String()
}

// whole returns the list as it was told.
func (l *imageList) whole() []ListedImage {
	if l.images == nil {
		return nil
	}
	images := make([]ListedImage, len(l.images))
	for i, image := range l.images {
		images[i] = image.ListedImage
	}
	return images
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

func sameImages(l *imageList, b []ListedImage) bool {
	return (l.images == nil) == (b == nil) && slices.EqualFunc(l.images, b, func(x *listed, y ListedImage) bool { return sameListed(x.ListedImage, y) })
}
