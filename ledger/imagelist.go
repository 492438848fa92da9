// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"hash/maphash"
	"iter"
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
	images []*listed // nil says nothing
	// byName finds an entry by each of its canonical names and by each digest
	// alone: under another repository the layers are the same ones.
	byName nameTable
	// names holds the hashes of those, and of the repositories.
	names filter
	seed  maphash.Seed
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
	list := &imageList{images: l.numbers.take(images, l.next.seed), seed: l.next.seed, smallestBytes: math.MaxInt64}
	hashes := make([]uint64, 0, 5*len(images))
	for i, image := range list.images {
		list.smallestBytes = min(list.smallestBytes, image.ReportedBytes)
		if pinned(image.ListedImage) {
			if list.pinned == nil {
				list.pinned = make(map[int]struct{})
			}
			list.pinned[i] = struct{}{}
		}
		hashes = append(hashes, image.hashes...)
		for k, ref := range image.Refs {
			if repository := ref.Repository(); k == 0 || repository != image.Refs[k-1].Repository() {
				hashes = append(hashes, maphash.String(list.seed, repository))
			}
		}
		if image.NameCount >= namesPerImage {
			list.crowd(image.Refs)
		}
	}
	list.byName = newNameTable(list.images)
	list.names = newFilter(hashes)
	return list
}

// mayHaveRepository reports whether some entry may be of the repository. False is sure.
func (l *imageList) mayHaveRepository(repository string) bool {
	return l.names.mayHold(maphash.String(l.seed, repository))
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
	if i, found := l.named(ref.String()); found {
		return i, true
	}
	if digest := ref.Digest(); digest != "" {
		return l.named(digest)
	}
	return 0, false
}

// named returns the entry that has the canonical name, or the digest.
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
