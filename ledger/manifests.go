// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"cmp"
	"hash/maphash"
	"maps"
	"slices"

	"github.com/headroom-dev/headroom/estimate"
	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/imagesize"
)

// manifestKey is what a registry's answer is about.
type manifestKey struct {
	ref      imageref.Ref
	platform imagesize.Platform
}

// digestKey is what an image is known by whatever it is called: the digest of its
// index, or of its own manifest.
type digestKey struct {
	digest   string
	platform imagesize.Platform
}

// known is what a registry told about an image. It never changes.
type known struct {
	imagesize.Manifest

	// blobs and snapshots are hashes of the layers' digests and chain IDs, in order.
	blobs, snapshots []uint64
	// sorted are the places of the layers by the hashes of their blobs.
	sorted []int32
}

func newKnown(seed maphash.Seed, m imagesize.Manifest) *known {
	k := &known{Manifest: m}
	if !m.Layered() {
		return k
	}
	k.blobs, k.snapshots = make([]uint64, len(m.Layers)), make([]uint64, len(m.Layers))
	for i := range m.Layers {
		k.blobs[i] = maphash.String(seed, m.Layers[i].Digest)
		k.snapshots[i] = maphash.String(seed, m.Layers[i].ChainID)
	}
	k.sorted = make([]int32, len(m.Layers))
	for i := range k.sorted {
		k.sorted[i] = int32(i)
	}
	slices.SortFunc(k.sorted, func(a, b int32) int { return cmp.Compare(k.blobs[a], k.blobs[b]) })
	return k
}

// layered is Layered, found once.
func (k *known) layered() bool { return len(k.blobs) > 0 }

// maxLayers is up to how many layers are remembered: four times what any runtime takes. A registry may name tens of thousands,
// which would have to be added up on every node.
const maxLayers = 512

// SetManifest writes what a registry told about an image for one platform.
func (l *Ledger) SetManifest(ref imageref.Ref, p imagesize.Platform, m imagesize.Manifest) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(m.Layers) > maxLayers {
		m.Layers = nil
	}
	key := manifestKey{ref, p}
	old, found := l.manifests[key]
	if found && sameManifest(&old.Manifest, &m) {
		return
	}
	if found {
		l.undigest(key, old)
	}
	k := newKnown(l.next.seed, m)
	l.manifests[key] = k
	for _, digest := range digestsOf(k) {
		d := digestKey{digest, p}
		if l.digests[d] == nil {
			l.digests[d] = make(map[manifestKey]struct{})
		}
		l.digests[d][key] = struct{}{}
		l.publishDigest(d)
	}
	if l.synced {
		l.next.manifests = l.next.manifests.with(key, k)
		l.resize(nameHash(l.next.seed, ref))
		l.countLayers(key, old, k)
		l.changed = true
	}
	l.publish()
}

// DeleteManifest forgets what a registry told, such as when a tag's answer is
// too old to be believed.
func (l *Ledger) DeleteManifest(ref imageref.Ref, p imagesize.Platform) {
	l.mu.Lock()
	defer l.mu.Unlock()
	key := manifestKey{ref, p}
	old, found := l.manifests[key]
	if !found {
		return
	}
	delete(l.manifests, key)
	l.undigest(key, old)
	if l.synced {
		l.next.manifests = l.next.manifests.without(key)
		l.resize(nameHash(l.next.seed, ref))
		l.countLayers(key, old)
		l.changed = true
	}
	l.publish()
}

// countLayers notes that what is known of layers changes with one of these images. A name that tells no layers hides those that
// its digest tells.
func (l *Ledger) countLayers(key manifestKey, changed ...*known) {
	for _, k := range append(changed, l.ofDigest(digestKey{key.ref.Digest(), key.platform})) {
		if k != nil && k.layered() {
			l.next.told++
			return
		}
	}
}

func sameManifest(a, b *imagesize.Manifest) bool {
	return a.Digest == b.Digest && a.ImageDigest == b.ImageDigest && a.CompressedBytes == b.CompressedBytes &&
		a.DocumentBytes == b.DocumentBytes && slices.Equal(a.Layers, b.Layers)
}

// digestsOf are the digests that a layered image can be found by.
func digestsOf(k *known) []string {
	if !k.layered() {
		return nil
	}
	var digests []string
	for _, digest := range []string{k.Digest, k.ImageDigest} {
		if digest != "" && !slices.Contains(digests, digest) {
			digests = append(digests, digest)
		}
	}
	return digests
}

func (l *Ledger) undigest(key manifestKey, k *known) {
	for _, digest := range digestsOf(k) {
		d := digestKey{digest, key.platform}
		delete(l.digests[d], key)
		if len(l.digests[d]) == 0 {
			delete(l.digests, d)
		}
		l.publishDigest(d)
	}
}

// publishDigest puts what a digest stands for into what will be published. Of several
// names it has that of the first one: their content is the same.
func (l *Ledger) publishDigest(d digestKey) {
	if !l.synced {
		return
	}
	l.resize(maphash.String(l.next.seed, d.digest))
	if k := l.ofDigest(d); k != nil {
		l.next.digests = l.next.digests.with(d, k)
	} else {
		l.next.digests = l.next.digests.without(d)
	}
}

func (l *Ledger) ofDigest(d digestKey) *known {
	if len(l.digests[d]) == 0 {
		return nil
	}
	first := slices.MinFunc(slices.Collect(maps.Keys(l.digests[d])), func(a, b manifestKey) int {
		return cmp.Compare(a.ref.String(), b.ref.String())
	})
	return l.manifests[first]
}

// knownOf returns what a registry told about an image, by its name or by its digest;
// nil for nothing.
func (c *contents) knownOf(ref imageref.Ref, p imagesize.Platform) *known {
	if k, found := c.manifests.get(manifestKey{ref, p}); found {
		return k
	}
	if digest := ref.Digest(); digest != "" {
		k, _ := c.digests.get(digestKey{digest, p})
		return k
	}
	return nil
}

// layersOf is knownOf where the image's layers are known.
func (c *contents) layersOf(ref imageref.Ref, p imagesize.Platform) *known {
	if ref.IsZero() {
		return nil
	}
	if k := c.knownOf(ref, p); k != nil && k.layered() {
		return k
	}
	return nil
}

// layersOfEntry returns what a registry told of an image that a node lists. A tag may
// have moved, and stand for another image at a registry than what was loaded by hand:
// what a tag tells must have the entry's digest, or where it has none, its size.
func (c *contents) layersOfEntry(image *ListedImage, rt imagesize.Runtime, p imagesize.Platform) *known {
	digests := false
	for _, name := range image.Refs {
		digests = digests || name.Digest() != ""
		if k := c.layersOf(name, p); k != nil && (name.Digest() != "" || k.isAmong(image.Refs)) {
			return k
		}
	}
	if digests {
		return nil
	}
	for _, name := range image.Refs {
		if k := c.layersOf(name, p); k != nil && k.fits(image.ReportedBytes, rt) {
			return k
		}
	}
	return nil
}

// layersOfPulled is the same for an image that a pod has pulled.
func (c *contents) layersOfPulled(image *PodImage, p imagesize.Platform) *known {
	if k := c.layersOf(image.ImageID, p); k != nil {
		return k
	}
	k := c.layersOf(image.Ref, p)
	if k == nil || image.Ref.Digest() == "" && image.ImageID.Digest() != "" && !k.isAmong([]imageref.Ref{image.ImageID}) {
		return nil
	}
	return k
}

// isAmong reports whether one of the names has one of the image's digests.
func (k *known) isAmong(names []imageref.Ref) bool {
	return slices.ContainsFunc(names, func(name imageref.Ref) bool {
		return name.Digest() != "" && (name.Digest() == k.Digest || name.Digest() == k.ImageDigest)
	})
}

// fits says whether a node of that runtime may list the image with that size.
func (k *known) fits(bytes int64, rt imagesize.Runtime) bool {
	told := estimate.Exactly(k.CompressedBytes).Times(imagesize.CompressedFactor(rt))
	return rt != imagesize.OtherRuntime && told.Low <= bytes && bytes <= told.High
}
