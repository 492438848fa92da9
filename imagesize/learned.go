// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package imagesize

import "github.com/headroom-dev/headroom/estimate"

// Learned is what pulls that were watched have taught about the nodes of one pool
// and runtime. The zero value is nothing.
type Learned struct {
	// Kept is the share of the compressed bytes of a layer that stays on the image
	// disk once it is unpacked, from 0 to 1: nil for the runtime's own range.
	Kept *estimate.Factor
	// Reported is bytes on disk for each byte that the runtime reports, of images
	// whose layers are not known: nil for the runtime's own range.
	Reported *estimate.Factor
	// Lazy says that disks there hold less than their images need: they are not
	// pulled as a whole, or share more than is known. No low bound is believed.
	Lazy bool
	// Observations is how many pulls were watched.
	Observations int
}

// Equal reports whether both say the same.
func (l Learned) Equal(o Learned) bool {
	same := func(a, b *estimate.Factor) bool { return a == b || a != nil && b != nil && *a == *b }
	return same(l.Kept, o.Kept) && same(l.Reported, o.Reported) && l.Lazy == o.Lazy && l.Observations == o.Observations
}

// PoolKey is whose pulls are comparable.
type PoolKey struct {
	// Pool is the name of the policy's node pool, empty for the nodes in none.
	Pool     string
	Runtime  Runtime
	Platform Platform
}
