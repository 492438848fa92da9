// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fit

import (
	"iter"
	"maps"

	"github.com/headroom-dev/headroom/estimate"
	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/imagesize"
	"github.com/headroom-dev/headroom/ledger"
	"github.com/headroom-dev/headroom/policy"
)

// sizes remembers, for the time of one evaluation, what images take on disk. Nodes of one class share the answer, so that a
// cluster of thousands of nodes asks once per image and class.
type sizes struct {
	snapshot *ledger.Snapshot
	policy   *policy.Policy
	images   []imageref.Image
	// same is of sameImages.
	same    []int
	assumed *estimate.Bytes
	// operator memoizes the policy's table, whose patterns are many per image.
	operator map[imageref.Ref]int64
	classes  map[classKey]*class
	// listed are those of images that nodes list, for a surveyor.
	listed ledger.ListedSizes
	// last is the class of lastRow: rows are asked about many times in a row.
	lastRow *ledger.NodeRow
	last    *class
}

func newSizes(s *ledger.Snapshot, p *policy.Policy, images []imageref.Image) *sizes {
	z := &sizes{
		snapshot: s, policy: p, images: images, same: sameImages(s, images),
		operator: make(map[imageref.Ref]int64), classes: make(map[classKey]*class),
	}
	if assumed, found := p.UnknownImage.Size(); found {
		z.assumed = &assumed
	}
	return z
}

// group is equal for the pod's images, by index, that are one image by several names.
func (z *sizes) group(i int) int {
	if z.same == nil {
		return i
	}
	return z.same[i]
}

// since returns the sizes as of a later snapshot, where something else is known of some images, and nil where it may be any, or z
// is nil. There must be no images of a pod among them. z must not be used any more.
func (z *sizes) since(s *ledger.Snapshot, resized *ledger.Resized) *sizes {
	if z == nil || resized.All() {
		return nil
	}
	z.snapshot, z.lastRow, z.last = s, nil, nil
	if resized.None() {
		return z
	}
	z.listed.Forget()
	for _, c := range z.classes {
		maps.DeleteFunc(c.sizes, func(ref imageref.Ref, _ imagesize.Size) bool { return resized.Has(ref) })
		maps.DeleteFunc(c.evidence, func(ref imageref.Ref, _ imagesize.Evidence) bool { return resized.Has(ref) })
	}
	return z
}

// classOf returns the node's class.
func (z *sizes) classOf(row *ledger.NodeRow) *class {
	if row == z.lastRow {
		return z.last
	}
	c := z.classAt(classKeyOf(row, z.policy))
	z.lastRow, z.last = row, c
	return c
}

// classAt returns the class of that key.
func (z *sizes) classAt(key classKey) *class {
	c, known := z.classes[key]
	if !known {
		c = &class{
			classKey: key, learned: z.snapshot.Learned(key.poolKey()),
			sizes: make(map[imageref.Ref]imagesize.Size), evidence: make(map[imageref.Ref]imagesize.Evidence),
		}
		z.classes[key] = c
		z.fill(c)
	}
	return c
}

// fill looks up the pod's own images.
func (z *sizes) fill(c *class) {
	c.wanted = make([]imagesize.Size, len(z.images))
	for i := range z.images {
		c.wanted[i] = z.lookUp(c, z.images[i].Ref)
	}
	for i, first := range z.same {
		// What is told of one name is told of all.
		switch {
		case !c.wanted[i].Known() && c.wanted[first].Known():
			c.wanted[i] = c.wanted[first]
		case c.wanted[i].Known() && !c.wanted[first].Known():
			c.wanted[first] = c.wanted[i]
		}
	}
	empty, huge, known := once{firsts: z.same}, once{firsts: z.same}, true
	for i, size := range z.onEmpty(c) {
		known = known && c.wanted[i].Known()
		low := size.Disk.AtLeastZero().Low
		empty.add(i, size.Disk.AtLeastZero())
		if !certain(c.wanted[i]) {
			low = unbounded
		}
		huge.add(i, estimate.Exactly(low))
	}
	c.empty, c.emptyHuge, c.emptyLikely = empty.sum().Low, huge.sum().Low, unbounded
	if known {
		c.emptyLikely = empty.sum().Likely
	}
}

// onEmpty returns what each of the pod's images that may be pulled adds to a node of the class that has nothing yet, but what
// the pod's own images before it have brought.
func (z *sizes) onEmpty(c *class) iter.Seq2[int, imagesize.Size] {
	return func(yield func(int, imagesize.Size) bool) {
		brought := newBrought()
		for i := range z.images {
			if neverPulled(&z.images[i]) {
				continue
			}
			m := z.snapshot.Evidence(z.images[i].Ref, c.runtime, c.platform).Manifest
			shared := brought.shared(m, z.group(i))
			brought.add(m, z.group(i))
			size := z.pull(c, z.images[i].Ref, imagesize.There{Sure: shared, Likely: shared, Possible: shared})
			if !size.Known() {
				size = c.wanted[i]
			}
			if !yield(i, size) {
				return
			}
		}
	}
}

// of is ledger.View.Size.
func (z *sizes) of(row *ledger.NodeRow, ref imageref.Ref, there imagesize.There) imagesize.Size {
	c := z.classOf(row)
	if there == (imagesize.There{}) {
		return z.lookUp(c, ref)
	}
	return z.pull(c, ref, there)
}

// stored is ledger.View.Stored.
func (z *sizes) stored(row *ledger.NodeRow, s imagesize.Stored) estimate.Bytes {
	c := z.classOf(row)
	return s.OnDisk(c.runtime, c.factor(), c.learned)
}

// declared is ledger.View.DeclaredBytes.
func (z *sizes) declared(row *ledger.NodeRow) int64 {
	if pool := z.classOf(row).pool; pool != nil {
		return pool.ImageFilesystemBytes
	}
	return 0
}

func (z *sizes) lookUp(c *class, ref imageref.Ref) imagesize.Size {
	if size, known := c.sizes[ref]; known {
		return size
	}
	size := z.evidence(c, ref).Pull(c.runtime, c.factor(), imagesize.There{})
	c.sizes[ref] = size
	return size
}

// pull is what pulling an image adds to a node of the class with what is there of it. Each node may have something else, so
// that no two may share the answer; the question is prepared once.
func (z *sizes) pull(c *class, ref imageref.Ref, there imagesize.There) imagesize.Size {
	evidence, known := c.evidence[ref]
	if !known {
		evidence = z.evidence(c, ref).Prepared(c.runtime)
		c.evidence[ref] = evidence
	}
	return evidence.Pull(c.runtime, c.factor(), there)
}

// evidence is all that is known of the size of an image on nodes of the class.
func (z *sizes) evidence(c *class, ref imageref.Ref) imagesize.Evidence {
	evidence := z.snapshot.Evidence(ref, c.runtime, c.platform)
	evidence.OperatorBytes = z.operatorBytes(ref)
	evidence.Assumed = z.assumed
	evidence.Learned = c.learned
	evidence.Observed = z.snapshot.Observed(c.poolKey(), ref)
	return evidence
}

// operatorBytes returns what the policy's table says, 0 for nothing.
func (z *sizes) operatorBytes(ref imageref.Ref) int64 {
	if len(z.policy.Images) == 0 {
		return 0
	}
	bytes, known := z.operator[ref]
	if !known {
		entry, _ := z.policy.SizeOf(ref)
		bytes = entry.SizeBytes
		z.operator[ref] = bytes
	}
	return bytes
}
