// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fit

import (
	"cmp"

	"github.com/headroom-dev/headroom/estimate"
	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/imagesize"
	"github.com/headroom-dev/headroom/ledger"
	"github.com/headroom-dev/headroom/policy"
)

// classKey is what the size of an image on a node depends on.
type classKey struct {
	runtime  imagesize.Runtime
	platform Platform
	pool     *policy.NodePool
}

// class is a kind of node.
type class struct {
	classKey
	learned imagesize.Learned
	sizes   map[imageref.Ref]imagesize.Size
	// evidence is of images of which something was there on some node.
	evidence map[imageref.Ref]imagesize.Evidence
	// wanted are the sizes of the pod's own images, by index.
	wanted []imagesize.Size
	// empty is what the pod needs on a node that has nothing yet, at least; emptyHuge the same if images of unknown size are
	// larger than any disk; emptyLikely what it likely needs, unbounded where nobody knows.
	empty, emptyHuge, emptyLikely int64
}

// classKeyOf returns the key of the node's class.
func classKeyOf(row *ledger.NodeRow, p *policy.Policy) classKey {
	return classKey{
		runtime:  row.Runtime,
		platform: Platform{OS: row.OS, Architecture: row.Architecture},
		pool:     p.PoolOf(row.LabelSet()),
	}
}

// before orders classes of one pool.
func (k classKey) before(o classKey) bool {
	return cmp.Or(cmp.Compare(k.runtime, o.runtime), cmp.Compare(k.platform.OS, o.platform.OS), cmp.Compare(k.platform.Architecture, o.platform.Architecture)) < 0
}

// factor is what the policy declares for the class, nil for nothing.
func (c *class) factor() *estimate.Factor {
	if c.pool == nil {
		return nil
	}
	return c.pool.DiskFactor
}

func (k classKey) poolKey() imagesize.PoolKey {
	key := imagesize.PoolKey{Runtime: k.runtime, Platform: k.platform}
	if k.pool != nil {
		key.Pool = k.pool.Name
	}
	return key
}
