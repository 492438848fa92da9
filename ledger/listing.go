// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"hash/maphash"
	"slices"

	"github.com/headroom-dev/headroom/imageref"
)

// listed is an entry of nodes' lists, one for all nodes that have the same. It never changes, but for the number of those nodes,
// which writers keep.
type listed struct {
	ListedImage
	// number is that of the image, -1 for one without a name.
	number int
	// hashes are those of its names, and of their digests alone.
	hashes []uint64
	lists  int
}

// listedKey finds entries that are likely the same.
type listedKey struct {
	first         imageref.Ref
	reportedBytes int64
}

func keyOfListed(image *ListedImage) listedKey {
	key := listedKey{reportedBytes: image.ReportedBytes}
	if len(image.Refs) > 0 {
		key.first = image.Refs[0]
	}
	return key
}

// take returns the entries of a list, each of which is on one list more from now on.
func (n *numbers) take(images []ListedImage, seed maphash.Seed) []*listed {
	if images == nil {
		return nil
	}
	entries := make([]*listed, len(images))
	for i := range images {
		key := keyOfListed(&images[i])
		at := slices.IndexFunc(n.entries[key], func(e *listed) bool { return sameListed(e.ListedImage, images[i]) })
		if at < 0 {
			at = len(n.entries[key])
			n.entries[key] = append(n.entries[key], &listed{ListedImage: images[i], number: n.number(key.first), hashes: hashesOf(images[i].Refs, seed)})
		}
		entries[i] = n.entries[key][at]
		entries[i].lists++
	}
	return entries
}

// release takes a list away; nil has no entries.
func (n *numbers) release(l *imageList) {
	if l == nil {
		return
	}
	for _, entry := range l.images {
		if entry.lists--; entry.lists > 0 {
			continue
		}
		key := keyOfListed(&entry.ListedImage)
		n.entries[key] = slices.DeleteFunc(n.entries[key], func(e *listed) bool { return e == entry })
		if len(n.entries[key]) == 0 {
			delete(n.entries, key)
		}
		n.forget(key.first)
	}
}

// hashesOf are the hashes of names and of digests alone: under another repository the layers are the same ones.
func hashesOf(refs []imageref.Ref, seed maphash.Seed) []uint64 {
	hashes := make([]uint64, 0, 2*len(refs))
	for _, ref := range refs {
		hashes = append(hashes, maphash.String(seed, ref.String()))
		if digest := ref.Digest(); digest != "" {
			if hash := maphash.String(seed, digest); !slices.Contains(hashes, hash) {
				hashes = append(hashes, hash)
			}
		}
	}
	return slices.Clip(hashes)
}

func sameListed(x, y ListedImage) bool {
	return x.NameCount == y.NameCount && x.ReportedBytes == y.ReportedBytes && slices.Equal(x.Refs, y.Refs)
}
