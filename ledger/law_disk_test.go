// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package ledger_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/headroom-dev/headroom/estimate"
	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/imagesize"
)

// realLayer is one layer as a disk has it, in bytes.
type realLayer struct {
	digest, chain        string
	compressed, unpacked int64
}

func (l *realLayer) blob() string     { return "blob " + l.digest }
func (l *realLayer) snapshot() string { return "snapshot " + l.chain }

// realImage is what an image is made of.
type realImage struct {
	name   imageref.Ref // by digest
	tag    imageref.Ref // that it has at first
	layers []realLayer
}

func (i *realImage) reportedBytes() int64 {
	bytes := int64(0)
	for l := range i.layers {
		bytes += i.layers[l].compressed
	}
	return bytes
}

func (i *realImage) manifest() imagesize.Manifest {
	m := imagesize.Manifest{Digest: i.name.Digest(), ImageDigest: i.name.Digest(), CompressedBytes: i.reportedBytes()}
	for _, l := range i.layers {
		m.Layers = append(m.Layers, imagesize.Layer{
			Digest: l.digest, ChainID: l.chain, CompressedBytes: l.compressed,
			Unpacked: imagesize.Unpacked{DiskBytes: estimate.Exactly(l.unpacked), Inodes: 1},
		})
	}
	return m
}

// realDisk is what a runtime that keeps compressed layers has, and what it does.
type realDisk struct {
	// bytes are those of every blob and snapshot, which may be on its way.
	bytes map[string]int64
	// images are complete; the names are tags and digests.
	images map[*realImage]*realNames
	// pulling are on their way, oldest first.
	pulling []*realImage
	// written is all that was ever written.
	written int64
}

type realNames struct {
	names    []imageref.Ref
	pulledAt time.Time
}

func (d *realDisk) used() int64 {
	bytes := int64(0)
	for _, b := range d.bytes {
		bytes += b
	}
	return bytes
}

// write goes on with an image by so many bytes at most, and returns what is left of
// them: some only once the image is complete. A layer whose snapshot is there is not fetched.
func (d *realDisk) write(image *realImage, bytes int64) (left int64) {
	for i := range image.layers {
		l := &image.layers[i]
		if d.bytes[l.snapshot()] == l.unpacked {
			continue
		}
		bytes = d.fill(l.snapshot(), l.unpacked, d.fill(l.blob(), l.compressed, bytes))
		if bytes == 0 {
			return 0
		}
	}
	return bytes
}

func (d *realDisk) fill(part string, size, bytes int64) (left int64) {
	n := min(size-d.bytes[part], bytes)
	d.bytes[part] += n
	d.written += n
	return bytes - n
}

// costOf is what is still to be written until all those images are there.
func (d *realDisk) costOf(images []*realImage) int64 {
	later := realDisk{bytes: maps.Clone(d.bytes)}
	for _, image := range images {
		later.write(image, 1<<50)
	}
	return later.written
}

// find returns the image of that name.
func (d *realDisk) find(name imageref.Ref) *realImage {
	for image, names := range d.images {
		if slices.Contains(names.names, name) {
			return image
		}
	}
	return nil
}

// give gives an image a name, which no other has then.
func (d *realDisk) give(image *realImage, name imageref.Ref) {
	for _, names := range d.images {
		names.names = slices.DeleteFunc(names.names, func(o imageref.Ref) bool { return o == name })
	}
	d.images[image].names = append(d.images[image].names, name)
}

// remove deletes images, or ends their pulls, and what then nothing needs.
func (d *realDisk) remove(images ...*realImage) {
	for _, image := range images {
		delete(d.images, image)
		d.pulling = slices.DeleteFunc(d.pulling, func(o *realImage) bool { return o == image })
	}
	needed := map[string]bool{}
	for _, image := range slices.AppendSeq(slices.Clone(d.pulling), maps.Keys(d.images)) {
		for i := range image.layers {
			needed[image.layers[i].blob()], needed[image.layers[i].snapshot()] = true, true
		}
	}
	maps.DeleteFunc(d.bytes, func(part string, _ int64) bool { return !needed[part] })
}

// freedBy is what removing images would free, if pulls that are under way ended.
func (d *realDisk) freedBy(images []*realImage) int64 {
	later := realDisk{bytes: maps.Clone(d.bytes), images: maps.Clone(d.images)}
	later.remove()
	before := later.used()
	later.remove(images...)
	return before - later.used()
}

// realImages makes images that share bases, and blobs upon other bases.
func realImages(r *rand.Rand) []*realImage {
	const unit = 8 * mib
	var images []*realImage
	for n := range 8 + r.IntN(5) {
		image := &realImage{
			name: mustParse(fmt.Sprintf("repo%d@sha256:%064d", n%4, n)),
			tag:  mustParse(fmt.Sprintf("repo%d:v%d", n%4, n/4)),
		}
		chain := ""
		if n > 0 && r.IntN(4) > 0 {
			base := images[r.IntN(n)]
			image.layers = slices.Clone(base.layers[:r.IntN(len(base.layers)+1)])
		}
		if n := len(image.layers); n > 0 {
			chain = image.layers[n-1].chain
		}
		for i := range 1 + r.IntN(3) {
			size := (1 + r.Int64N(12)) * unit
			l := realLayer{digest: fmt.Sprintf("d%d-%d", n, i), compressed: size, unpacked: size * (2 + r.Int64N(5)) / 2}
			if n > 0 && r.IntN(6) == 0 {
				other := images[r.IntN(n)]
				l = other.layers[r.IntN(len(other.layers))] // The same files upon others.
			}
			chain += "/" + l.digest
			l.chain = chain
			image.layers = append(image.layers, l)
		}
		images = append(images, image)
	}
	return images
}
