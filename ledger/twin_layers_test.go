// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package ledger_test

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/headroom-dev/headroom/estimate"
	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/imagesize"
	"github.com/headroom-dev/headroom/ledger"
)

// layeredManifest makes up an image of layers that others may have, too: a path in a
// tree of few letters, where each letter is a blob.
func (h *history) layeredManifest(ref imageref.Ref) imagesize.Manifest {
	m := imagesize.Manifest{Digest: ref.Digest(), ImageDigest: ref.Digest()}
	chain := ""
	for range 1 + h.IntN(4) {
		letter := string(rune('p' + h.IntN(3)))
		chain += letter
		layer := imagesize.Layer{Digest: letter, ChainID: chain, CompressedBytes: int64(letter[0]-'p')*7 + 1}
		m.Layers = append(m.Layers, layer)
		m.CompressedBytes += layer.CompressedBytes
	}
	return m
}

// told returns what a registry told about an image for a node, by name or digest.
func (t *twin) told(name string, ref imageref.Ref) *imagesize.Manifest {
	n := t.at(name).node
	p := imagesize.Platform{OS: n.OS, Architecture: n.Architecture}
	if m, found := t.manifests[manifestOf{ref, p}]; found {
		return &m
	}
	var names []manifestOf
	for of, m := range t.manifests {
		if of.p == p && ref.Digest() != "" && m.Layered() && (m.Digest == ref.Digest() || m.ImageDigest == ref.Digest()) {
			names = append(names, of)
		}
	}
	if len(names) == 0 {
		return nil
	}
	m := t.manifests[slices.MinFunc(names, func(a, b manifestOf) int { return cmp.Compare(a.ref.String(), b.ref.String()) })]
	return &m
}

func (t *twin) layers(name string, ref imageref.Ref) *imagesize.Manifest {
	if m := t.told(name, ref); !ref.IsZero() && m.Layered() {
		return m
	}
	return nil
}

// bringing is an image that brings layers to a node.
type bringing struct {
	m       *imagesize.Manifest
	certain bool
	// hidden bounds what it may bring where m is nil.
	hidden int64
}

// pull is what an image adds to a node where others come before it.
func (t *twin) pull(name string, ref imageref.Ref, v ledger.View, a *ledger.Account, ahead []bringing) imagesize.Size {
	return t.evidence(name, ref).Pull(t.at(name).node.Runtime, twinFactor, t.there(name, ref, v, a, ahead))
}

// entry is where a node lists an image, -1 for nowhere.
func (t *twin) entry(name string, ref imageref.Ref) int {
	images, found := t.at(name).node.Images, -1
	for i := range images {
		if slices.Contains(images[i].Refs, ref) {
			return i
		}
		if slices.ContainsFunc(images[i].Refs, func(listed imageref.Ref) bool { return sameImage(listed, ref) }) {
			found = i
		}
	}
	return found
}

func (t *twin) there(name string, ref imageref.Ref, v ledger.View, a *ledger.Account, ahead []bringing) imagesize.There {
	var there imagesize.There
	x := t.layers(name, ref)
	if x == nil {
		return there
	}
	var unsampled []int
	claimed, anyClaim := map[imageref.Ref]bool{}, false
	for _, other := range twinImages() {
		p, concerned := t.part(name, other, v)
		concerned = concerned && (p.state == "pending" || a.Tier == ledger.Measured)
		claimed[other] = p.state == "pending" || p.state == "settled"
		anyClaim = anyClaim || claimed[other]
		if concerned && claimed[other] && t.entry(name, other) >= 0 {
			unsampled = append(unsampled, t.entry(name, other))
		}
	}
	running, done := t.unlisted(name)
	there.HiddenBytes, there.HiddenTotalBytes, _ = t.hidden(name)
	if a.Tier == ledger.Measured && a.SampleAge < 2*time.Minute && !anyClaim && len(done) == 0 {
		used := a.CapacityBytes - a.Measured.Low
		there.HiddenBytes, there.HiddenTotalBytes = min(there.HiddenBytes, used), min(there.HiddenTotalBytes, used)
	}
	for i, image := range t.at(name).node.Images {
		y := t.ofEntry(name, image)
		if y == nil || slices.Contains(unsampled, i) {
			continue
		}
		there.Likely = there.Likely.Or(x.SharedWith(y))
		if t.inUse(name, image) {
			there.Sure = there.Sure.Or(x.SharedWith(y))
		}
	}
	for _, image := range running {
		if y := t.ofPulled(name, image); y != nil && !claimed[image.Ref] {
			there.Sure = there.Sure.Or(x.SharedWith(y))
		}
	}
	for _, image := range done {
		if y := t.ofPulled(name, image); y != nil {
			there.Possible = there.Possible.Or(x.SharedWith(y))
		}
	}
	for _, b := range ahead {
		if b.m == nil {
			there.HiddenBytes = max(there.HiddenBytes, b.hidden)
			if there.HiddenTotalBytes += b.hidden; there.HiddenTotalBytes < 0 {
				there.HiddenTotalBytes = math.MaxInt64
			}
			continue
		}
		there.Possible = there.Possible.Or(x.SharedWith(b.m))
		if b.certain {
			there.Sure = there.Sure.Or(x.SharedWith(b.m))
		}
	}
	there.Likely = there.Likely.Or(there.Sure)
	there.Possible = there.Possible.Or(there.Likely)
	return there
}

// ofEntry are the layers of a listed image: by its digest, or by a tag if the size fits.
func (t *twin) ofEntry(name string, image ledger.ListedImage) *imagesize.Manifest {
	ref := image.Refs[0]
	m := t.layers(name, ref)
	if m == nil || ref.Digest() != "" {
		return m
	}
	told := estimate.Exactly(m.CompressedBytes).Times(imagesize.CompressedFactor(t.at(name).node.Runtime))
	if image.ReportedBytes < told.Low || image.ReportedBytes > told.High {
		return nil
	}
	return m
}

// ofPulled are the layers of an image that a pod has pulled.
func (t *twin) ofPulled(name string, image ledger.PodImage) *imagesize.Manifest {
	if m := t.layers(name, image.ImageID); m != nil {
		return m
	}
	m := t.layers(name, image.Ref)
	if m != nil && image.Ref.Digest() == "" && image.ImageID.Digest() != "" && m.Digest != image.ImageID.Digest() {
		return nil
	}
	return m
}

// brings are the layers of an image that a node waits for or has just got.
func (t *twin) brings(name string, ref imageref.Ref) *imagesize.Manifest {
	if i := t.entry(name, ref); i >= 0 {
		return t.ofEntry(name, t.at(name).node.Images[i])
	}
	running, _ := t.unlisted(name)
	for _, image := range running {
		if image.Ref == ref {
			return t.ofPulled(name, image)
		}
	}
	return t.layers(name, ref)
}

// reportedAtMost is the most that anybody but events tells of an image's size.
func (t *twin) reportedAtMost(name string, ref imageref.Ref) int64 {
	e := t.evidence(name, ref)
	bytes := e.Reported.High
	if e.Manifest != nil {
		bytes = max(bytes, estimate.Exactly(e.Manifest.CompressedBytes).Times(imagesize.CompressedFactor(t.at(name).node.Runtime)).High)
	}
	if bytes == 0 {
		return math.MaxInt64
	}
	return bytes
}

// hidden bounds the images on a node whose layers are not known: the largest, all
// together, and the largest that is in use.
func (t *twin) hidden(name string) (largest, total, used int64) {
	n, unlisted := t.at(name).node, int64(math.MaxInt64)
	add := func(bytes int64, inUse bool) {
		largest = max(largest, bytes)
		if total += bytes; total < 0 {
			total = math.MaxInt64
		}
		if inUse {
			used = max(used, bytes)
		}
	}
	smallest := int64(math.MaxInt64)
	for _, image := range n.Images {
		smallest = min(smallest, image.ReportedBytes)
		if t.ofEntry(name, image) == nil {
			add(image.ReportedBytes, t.inUse(name, image))
		}
	}
	limit := t.linesOf(name).MaxImagesListed
	cut := n.Images != nil && limit >= 0 && len(n.Images) >= limit
	if cut {
		unlisted = smallest
	}
	if cut || n.Images == nil {
		add(unlisted, true)
		total = math.MaxInt64
	}
	running, done := t.unlisted(name)
	for i, image := range slices.Concat(running, done) {
		if t.ofPulled(name, image) == nil {
			add(unlisted, i < len(running))
		}
	}
	return largest, total, used
}

// unlisted are the images that pods have pulled and the node does not list: of those
// that run, each once, and of those that are done or gone.
func (t *twin) unlisted(name string) (running, done []ledger.PodImage) {
	pods := slices.SortedFunc(slices.Values(t.all()), func(x, y *twinPod) int {
		return cmp.Or(strings.Compare(x.Namespace, y.Namespace), strings.Compare(x.Name, y.Name), cmp.Compare(x.UID, y.UID))
	})
	for _, p := range pods {
		for _, image := range p.Images {
			shown := image.ImageID
			if shown.IsZero() {
				shown = image.Ref
			}
			if p.NodeName != name || t.entry(name, shown) >= 0 {
				continue
			}
			again := slices.ContainsFunc(running, func(o ledger.PodImage) bool { return o.Ref == image.Ref && o.ImageID == image.ImageID })
			switch gone := !p.goneAt.IsZero(); {
			case gone || p.Finished && image.Pulled:
				done = append(done, image)
			case image.Pulled && !p.Finished && !again:
				running = append(running, image)
			}
		}
	}
	return running, done
}

func (t *twin) inUse(name string, image ledger.ListedImage) bool {
	for _, pod := range t.pods {
		for _, i := range pod.Images {
			for _, listed := range image.Refs {
				if pod.NodeName == name && !pod.Finished && (sameImage(listed, i.Ref) || !i.ImageID.IsZero() && sameImage(listed, i.ImageID)) {
					return true
				}
			}
		}
	}
	return false
}

// freed are the compressed bytes of layers that only images have which nobody uses:
// the snapshots of which nothing that hides may have, and all. Distinct names each.
func (t *twin) freed(name string) (least, most imagesize.Stored) {
	_, _, hidden := t.hidden(name)
	taken := map[string]bool{}
	take := func(m *imagesize.Manifest) {
		for _, layer := range m.Layers {
			taken["snapshot "+layer.ChainID], taken["blob "+layer.Digest] = true, true
		}
	}
	images := t.at(name).node.Images
	for _, image := range images {
		if y := t.ofEntry(name, image); y != nil && t.inUse(name, image) {
			take(y)
		}
	}
	running, _ := t.unlisted(name)
	for _, image := range running {
		if y := t.ofPulled(name, image); y != nil {
			take(y)
		}
	}
	for _, image := range images {
		y := t.ofEntry(name, image)
		if y == nil || t.inUse(name, image) {
			continue
		}
		below := int64(0)
		for i := range y.Layers {
			layer := &y.Layers[i]
			below += layer.CompressedBytes
			snapshot, blob := !taken["snapshot "+layer.ChainID], !taken["blob "+layer.Digest]
			most = most.Plus(layer.Stored(snapshot, blob))
			least = least.Plus(layer.Stored(snapshot && below > hidden, blob && layer.CompressedBytes > hidden))
			taken["snapshot "+layer.ChainID], taken["blob "+layer.Digest] = true, true
		}
		most = most.Plus(imagesize.Documents(y))
	}
	return least, most
}
