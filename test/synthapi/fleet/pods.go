// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fleet

import "fmt"

// Pods are a fleet's pods. Each has a place, on one node, that further pods of the same template take after it.
type Pods struct{ *Fleet }

var _ Kind = Pods{}

// Len implements Kind.
func (p Pods) Len() int { return p.options.Pods }

// First implements Kind: all run.
func (p Pods) First(i int) State {
	age := uint32(drawn(30*24*3600, p.options.Seed, 40, i)) //nolint:gosec // 30 days
	return State{
		Version: FirstVersion + uint64(p.options.Nodes+i), Phase: Running, //nolint:gosec // not below 0
		Created: Epoch - age, Started: Epoch - age + 7,
	}
}

// Node is the node that the i-th pod has or will have.
func (p Pods) Node(i int) int { return i % p.options.Nodes }

// Size implements Kind.
func (p Pods) Size(i int, s State) int { return len(p.templateOf(i).stencils[s.Phase].encoded) }

// Append implements Kind.
func (p Pods) Append(b []byte, i int, s State) []byte {
	t := p.templateOf(i)
	stencil := &t.stencils[s.Phase]
	from := len(b)
	b = append(b, stencil.encoded...)
	object := b[from:]

	identity := p.identity(i, s.Life)
	suffix := suffixOf(i, s.Life)
	stencil.fill(object, nameSuffix, suffix[:])
	var text [64]byte
	putUID(text[:36], identity)
	stencil.fill(object, uid, text[:36])
	putDecimal(text[:10], s.Version)
	stencil.fill(object, version, text[:10])
	stencil.fillTime(object, created, s.Created)
	if s.Phase == Waiting && len(stencil.at[nodeName]) == 0 {
		return b
	}
	stencil.fill(object, nodeName, nodeNameOf(p.Node(i)))
	stencil.fill(object, nodeIP, nodeAddress(p.Node(i)))
	stencil.fill(object, podIP, podAddress(i))
	stencil.fillTime(object, started, s.Started)
	stencil.fillTime(object, deleted, s.Deleted)
	for k, at := range stencil.at[hexID] {
		putHex(object[at:at+64], mix(identity, uint64(k)))
	}
	return b
}

// Key implements Kind.
func (p Pods) Key(i int, s State) (namespace, name string) {
	t, suffix := p.templateOf(i), suffixOf(i, s.Life)
	return t.namespace, t.podPrefix() + string(suffix[:])
}

// Find implements Kind.
func (p Pods) Find(namespace, name string) (i int, found bool) {
	if len(name) < 5 {
		return 0, false
	}
	i, found = placeOf(name[len(name)-5:])
	if !found || i >= p.Len() {
		return 0, false
	}
	t := p.templateOf(i)
	return i, t.namespace == namespace && t.podPrefix() == name[:len(name)-5]
}

// identity is what everything of one pod that must be its own follows from.
func (p Pods) identity(i int, life uint32) uint64 {
	return mix(mix(mix(p.options.Seed, 41), uint64(i)), uint64(life)) //nolint:gosec // any bits will do
}

// templateOf is the template of the pods at a place: each node has one pod of each DaemonSet, where it has four times as
// many, and of the others some templates have many more pods than most.
func (f *Fleet) templateOf(place int) *template {
	if row := place / f.options.Nodes; row < f.daemons {
		return f.templates[row]
	}
	others := len(f.templates) - daemonSets
	const scale = 1 << 16
	at := drawn(scale, f.options.Seed, 42, place)
	return f.templates[daemonSets+at*at/scale*others/scale]
}

// encodeTemplates makes the stencils of all templates' pods.
func (f *Fleet) encodeTemplates() error {
	for _, t := range f.templates {
		for phase := Waiting; phase < phases; phase++ {
			encoded, err := f.pod(t, phase, holes()).Marshal()
			if err != nil {
				return fmt.Errorf("template %d: %w", t.index, err)
			}
			t.stencils[phase] = newStencil(encoded)
		}
	}
	return nil
}
