// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package disk

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// object is a blob or a snapshot on the disk.
type object struct {
	bytes int64
	// refs counts the images and running pulls that hold it.
	refs int
}

// store is containerd's content store and snapshotter: unique compressed blobs
// plus unique snapshots by chain, each counted once.
type store struct {
	objects map[string]*object
	images  map[string]*record
	// byName maps each canonical tag and repo@digest to an image ID.
	byName    map[string]string
	usedBytes int64
	// discard is containerd's discard_unpacked_layers.
	discard bool
}

// record is one image in the runtime's list, together with what the kubelet's
// image GC remembers about it (imageRecord).
type record struct {
	id            string
	digests       []string
	tags          []string
	reportedBytes int64
	pinned        bool
	keys          []string
	detected      bool
	firstDetected time.Time
	lastUsed      time.Time
}

func newStore(discard bool) *store {
	return &store{
		objects: map[string]*object{},
		images:  map[string]*record{},
		byName:  map[string]string{},
		discard: discard,
	}
}

// write is one object that a pull has to put on the disk.
type write struct {
	key      string
	bytes    int64
	download bool
}

// plan lists what a pull of the image writes, in order, and every object the
// image will hold. Blobs come first: containerd unpacks what it has downloaded,
// and a layer whose snapshot exists is not fetched.
func (s *store) plan(img Image) (writes []write, holds []string) {
	var snapshots []write
	chain := ""
	for _, l := range img.Layers {
		chain = digestOf("chain", chain+" "+l.Digest)
		blob, snapshot := "blob "+l.Digest, "snapshot "+chain
		unpacked := s.objects[snapshot] != nil
		if s.objects[blob] == nil && !unpacked && !planned(writes, blob) {
			writes = append(writes, write{key: blob, bytes: l.CompressedBytes, download: true})
		}
		if !unpacked {
			snapshots = append(snapshots, write{key: snapshot, bytes: l.DiskBytes})
		}
		holds = append(holds, blob, snapshot)
	}
	return append(writes, snapshots...), holds
}

func planned(writes []write, key string) bool {
	return slices.ContainsFunc(writes, func(w write) bool { return w.key == key })
}

// put adds a finished object that nobody holds yet.
func (s *store) put(key string, bytes int64) {
	s.objects[key] = &object{bytes: bytes}
	s.usedBytes += bytes
}

func (s *store) hold(keys []string) {
	for _, key := range keys {
		if o := s.objects[key]; o != nil {
			o.refs++
		}
	}
}

// release lets go of objects and deletes those that nobody holds any more, as
// containerd's metadata GC does. Keys that were never held must not be passed.
func (s *store) release(keys []string) {
	for _, key := range keys {
		o := s.objects[key]
		if o == nil {
			continue
		}
		if o.refs--; o.refs <= 0 {
			s.usedBytes -= o.bytes
			delete(s.objects, key)
		}
	}
}

// add lists a pulled image under a name. The objects must be on the disk. A name
// that moved is taken from its old image, which stays under its digest alone.
func (s *store) add(canonical string, img Image, holds []string) *record {
	rec := s.images[img.Digest]
	if rec == nil {
		rec = &record{id: img.Digest, reportedBytes: img.ReportedBytes(), pinned: img.Pinned}
		for _, key := range holds {
			if s.objects[key] != nil && (!s.discard || strings.HasPrefix(key, "snapshot ")) {
				rec.keys = append(rec.keys, key)
			}
		}
		s.hold(rec.keys)
		s.images[img.Digest] = rec
	}
	byDigest := repositoryOf(canonical) + "@" + img.Digest
	if !slices.Contains(rec.digests, byDigest) {
		rec.digests = append(rec.digests, byDigest)
		s.byName[byDigest] = rec.id
	}
	if canonical == byDigest || slices.Contains(rec.tags, canonical) {
		return rec
	}
	if old := s.images[s.byName[canonical]]; old != nil {
		old.tags = slices.DeleteFunc(old.tags, func(t string) bool { return t == canonical })
	}
	rec.tags = append(rec.tags, canonical)
	s.byName[canonical] = rec.id
	return rec
}

// remove deletes an image and what only it held, and returns the bytes that the
// disk got back.
func (s *store) remove(id string) int64 {
	rec := s.images[id]
	if rec == nil {
		return 0
	}
	for _, name := range slices.Concat(rec.digests, rec.tags) {
		delete(s.byName, name)
	}
	delete(s.images, id)
	before := s.usedBytes
	s.release(rec.keys)
	return before - s.usedBytes
}

// find returns the image that a canonical name resolves to on this node, or nil.
func (s *store) find(canonical string) *record {
	return s.images[s.byName[canonical]]
}

// ListedImage is an image as the runtime lists it.
type ListedImage struct {
	ID          string
	RepoDigests []string
	RepoTags    []string
	// ReportedBytes is the compressed size.
	ReportedBytes int64
	Pinned        bool
}

// list returns the images, largest first, ties by ID descending (kubelet:
// imageCache.set with sliceutils.ByImageSize).
func (s *store) list() []ListedImage {
	out := make([]ListedImage, 0, len(s.images))
	for _, r := range s.images {
		out = append(out, ListedImage{
			ID: r.id, RepoDigests: slices.Clone(r.digests), RepoTags: slices.Clone(r.tags),
			ReportedBytes: r.reportedBytes, Pinned: r.pinned,
		})
	}
	slices.SortFunc(out, func(a, b ListedImage) int {
		return cmp.Or(cmp.Compare(b.ReportedBytes, a.ReportedBytes), cmp.Compare(b.ID, a.ID))
	})
	return out
}

// snapshotBytes is what containerd's ImageFsInfo calls used: snapshots only.
func (s *store) snapshotBytes() int64 {
	var sum int64
	for key, o := range s.objects {
		if strings.HasPrefix(key, "snapshot ") {
			sum += o.bytes
		}
	}
	return sum
}
