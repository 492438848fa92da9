// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fleet

import (
	"encoding/binary"
	"fmt"
)

// Nodes are a fleet's nodes.
type Nodes struct{ *Fleet }

var _ Kind = Nodes{}

// Len implements Kind.
func (n Nodes) Len() int { return n.options.Nodes }

// First implements Kind: all are ready.
func (n Nodes) First(i int) State {
	age := uint32(drawn(200*24*3600, n.options.Seed, 50, i)) //nolint:gosec // 200 days
	return State{
		Version: FirstVersion + uint64(i), Phase: Running, //nolint:gosec // not below 0
		Created: Epoch - age, Started: Epoch - uint32(drawn(300, n.options.Seed, 51, i)), //nolint:gosec // 5 minutes
	}
}

// Key implements Kind.
func (n Nodes) Key(i int, _ State) (namespace, name string) { return "", string(nodeNameOf(i)) }

// Find implements Kind.
func (n Nodes) Find(_, name string) (i int, found bool) {
	i, valid := NodeIndex(name)
	return i, valid && i < n.Len()
}

// pool is what nodes are made of.
type pool struct {
	index int
	// before are the fields before the status, status is the last field's content without images.
	before, status stencil
}

const pools = 12

func (n Nodes) poolOf(i int) *pool { return n.pools[drawn(pools, n.options.Seed, 52, i)] }

// The last field of a Node (k8s.io/api/core/v1/generated.proto).
const nodeStatus = 3<<3 | 2

func (f *Fleet) encodePools() error {
	for i := range pools {
		p := &pool{index: i}
		encoded, err := f.node(p, nil, holes()).Marshal()
		if err != nil {
			return fmt.Errorf("node pool %d: %w", i, err)
		}
		before, status, err := lastField(encoded, nodeStatus)
		if err != nil {
			return fmt.Errorf("node pool %d: %w", i, err)
		}
		p.before, p.status = newStencil(before), newStencil(status)
		f.pools = append(f.pools, p)
	}
	return nil
}

// Size implements Kind.
func (n Nodes) Size(i int, s State) int {
	p := n.poolOf(i)
	status := len(p.status.encoded) + n.listBytes(n.images(i, s.Life))
	return len(p.before.encoded) + 1 + uvarintLen(status) + status
}

func (f *Fleet) listBytes(images []int) (sum int) {
	for _, index := range images {
		sum += len(f.catalog[index].encoded)
	}
	return sum
}

// Append implements Kind.
func (n Nodes) Append(b []byte, i int, s State) []byte {
	p, images := n.poolOf(i), n.images(i, s.Life)
	from := len(b)
	b = append(b, p.before.encoded...)
	n.fill(&p.before, b[from:], i, s)
	b = append(b, nodeStatus)
	b = binary.AppendUvarint(b, uint64(len(p.status.encoded)+n.listBytes(images))) //nolint:gosec // not below 0
	from = len(b)
	b = append(b, p.status.encoded...)
	n.fill(&p.status, b[from:], i, s)
	for _, index := range images {
		b = append(b, n.catalog[index].encoded...)
	}
	return b
}

func (n Nodes) identity(i int) uint64 {
	return mix(mix(n.options.Seed, 53), uint64(i)) //nolint:gosec // any bits will do
}

func (n Nodes) fill(stencil *stencil, b []byte, i int, s State) {
	var text [64]byte
	putUID(text[:36], n.identity(i))
	stencil.fill(b, uid, text[:36])
	putDecimal(text[:10], s.Version)
	stencil.fill(b, version, text[:10])
	stencil.fill(b, nodeName, nodeNameOf(i))
	stencil.fill(b, nodeIP, nodeAddress(i))
	stencil.fillTime(b, created, s.Created)
	stencil.fillTime(b, started, s.Started)
}

// images are those that a node lists, by their index in the catalog, the largest first: of its pods', the largest, and a
// few others that are as large, which are what changes with each of its lists. Where its pods have few, it has more others.
func (n Nodes) images(i int, list uint32) []int {
	most := n.options.ImagesPerNode
	set := make(map[int]bool, 2*most)
	var own []int
	for place := i; place < n.options.Pods; place += n.options.Nodes {
		for _, index := range n.templateOf(place).images {
			if !set[index] {
				set[index] = true
				own = append(own, index)
			}
		}
	}
	return completed(own, set, most, n.options.Seed, i, int(list))
}
