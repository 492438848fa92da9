// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fit

import (
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
	// last is the class of lastRow: rows are asked about many times in a row.
	lastRow *ledger.NodeRow
	last    *class
}

// classKey is what the size of an image on a node depends on.
type classKey struct {
	runtime  imagesize.Runtime
	platform Platform
	pool     *policy.NodePool
}

// class is a kind of node.
type class struct {
	classKey
	sizes map[imageref.Ref]imagesize.Size
	// wanted are the sizes of the pod's own images, by index.
	wanted []imagesize.Size
	// empty is what the pod needs on a node that has nothing yet, at least; emptyHuge the same if images of unknown size are
	// larger than any disk.
	empty, emptyHuge int64
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

// classOf returns the node's class.
func (z *sizes) classOf(row *ledger.NodeRow) *class {
	if row == z.lastRow {
		return z.last
	}
	key := classKey{
		runtime:  row.Runtime,
		platform: Platform{OS: row.OS, Architecture: row.Architecture},
		pool:     z.policy.PoolOf(row.Labels),
	}
	c, known := z.classes[key]
	if !known {
		c = &class{classKey: key, sizes: make(map[imageref.Ref]imagesize.Size)}
		z.classes[key] = c
		z.fill(c)
	}
	z.lastRow, z.last = row, c
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
	empty, huge := once{firsts: z.same}, once{firsts: z.same}
	for i := range z.images {
		if neverPulled(&z.images[i]) {
			continue
		}
		low := cost(&z.images[i], ledger.Absent, c.wanted[i]).Low
		empty.add(i, estimate.Exactly(low))
		if !c.wanted[i].Known() {
			low = unbounded
		}
		huge.add(i, estimate.Exactly(low))
	}
	c.empty, c.emptyHuge = empty.sum().Low, huge.sum().Low
}

// of is ledger.View.Size.
func (z *sizes) of(row *ledger.NodeRow, ref imageref.Ref) imagesize.Size {
	return z.lookUp(z.classOf(row), ref)
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
	evidence := z.snapshot.Evidence(ref, c.runtime, c.platform)
	evidence.OperatorBytes = z.operatorBytes(ref)
	evidence.Assumed = z.assumed
	var factor *estimate.Factor
	if c.pool != nil {
		factor = c.pool.DiskFactor
	}
	size := evidence.OnDisk(c.runtime, factor)
	c.sizes[ref] = size
	return size
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
