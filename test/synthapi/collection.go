// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package synthapi

import (
	"cmp"
	"maps"
	"slices"
	"sync"

	"github.com/headroom-dev/headroom/test/synthapi/fleet"
)

// world is all that the server holds.
type world struct {
	mu sync.Mutex // guards all below, and what collections say it guards
	// version is the last one given.
	version     uint64
	collections map[string]*collection
}

// collection holds the objects of one resource, generated ones by their index and others by their key.
type collection struct {
	*resource

	world     *world
	generated fleet.Kind // nil for none
	wire      wire

	// The rest is guarded by world.mu.

	states []fleet.State
	own    map[string]stored
	// replaced are the generated objects that there is one of own of.
	replaced map[int]bool
	log      history
	changed  chan struct{} // closed by the next change
	lists    []*snapshot   // that continue tokens are of, the oldest first
	cut      *cut          // of the watches there are
}

// stored is an object that was not generated, in protobuf without an envelope.
type stored struct {
	key     string
	version uint64
	object  []byte
}

// item is an object: its place among the generated ones, or itself.
type item struct {
	index int
	state fleet.State
	own   stored
}

func keyOf(namespace, name string) string { return namespace + "/" + name }

func newWorld(f *fleet.Fleet, historyLength int) *world {
	w := &world{version: fleet.FirstVersion, collections: map[string]*collection{}}
	for i := range served {
		c := &collection{
			resource: &served[i], world: w, wire: newWire(&served[i]), own: map[string]stored{}, replaced: map[int]bool{},
			changed: make(chan struct{}), cut: newCut(),
		}
		switch c.name {
		case Nodes:
			c.generated = fleet.Nodes{Fleet: f}
		case Pods:
			c.generated = fleet.Pods{Fleet: f}
		}
		if c.generated != nil {
			c.states = make([]fleet.State, c.generated.Len())
			for k := range c.states {
				c.states[k] = c.generated.First(k)
				w.version = max(w.version, c.states[k].Version)
			}
		}
		w.collections[c.name] = c
	}
	for _, c := range w.collections {
		c.log = history{limit: historyLength, before: w.version}
	}
	return w
}

// present reports whether there is something in a place.
func present(s *fleet.State) bool { return s.Phase != fleet.Gone }

// set gives a generated object another state, and returns the change. world.mu must be held.
func (c *collection) set(index int, s fleet.State) {
	was := present(&c.states[index])
	change := modified
	switch {
	case !was && present(&s):
		change = added
	case was && !present(&s):
		change = deleted
	}
	c.world.version++
	s.Version = c.world.version
	told := s
	if change == deleted {
		told = c.states[index]
		told.Version = s.Version
	}
	c.states[index] = s
	c.publish(event{change: change, item: item{index: index, state: told}})
}

// put stores an object that is not generated, in the place of one that is if they have the same name. world.mu must be held.
func (c *collection) put(namespace, name string, encode func(version uint64) []byte) stored {
	key := keyOf(namespace, name)
	_, was := c.own[key]
	if i, there := c.findGenerated(namespace, name); there {
		was, c.states[i].Phase, c.replaced[i] = true, fleet.Gone, true
	}
	c.world.version++
	object := stored{key, c.world.version, encode(c.world.version)}
	c.own[key] = object
	change := added
	if was {
		change = modified
	}
	c.publish(event{change: change, item: item{index: -1, own: object}})
	return object
}

// remove deletes an object, and reports whether it was there. last returns it as it is to be told of. world.mu must be held.
func (c *collection) remove(namespace, name string, last func(object stored, version uint64) []byte) bool {
	if i, there := c.findGenerated(namespace, name); there {
		c.set(i, fleet.State{Life: c.states[i].Life})
		return true
	}
	key := keyOf(namespace, name)
	object, there := c.own[key]
	if !there {
		return false
	}
	c.world.version++
	delete(c.own, key)
	object.object, object.version = last(object, c.world.version), c.world.version
	c.publish(event{change: deleted, item: item{index: -1, own: object}})
	return true
}

// find returns an object that is there. world.mu must be held.
func (c *collection) find(namespace, name string) (item, bool) {
	if i, there := c.findGenerated(namespace, name); there {
		return item{index: i, state: c.states[i]}, true
	}
	object, there := c.own[keyOf(namespace, name)]
	return item{index: -1, own: object}, there
}

func (c *collection) findGenerated(namespace, name string) (i int, there bool) {
	if c.generated == nil {
		return 0, false
	}
	i, there = c.generated.Find(namespace, name)
	if !there || !present(&c.states[i]) {
		return 0, false
	}
	_, now := c.generated.Key(i, c.states[i])
	return i, now == name
}

func (c *collection) publish(e event) {
	c.log.add(e)
	close(c.changed)
	c.changed = make(chan struct{})
}

// snapshot is all objects at one version.
type snapshot struct {
	version uint64
	states  []fleet.State
	own     []stored // by key
	items   int
}

// snapshot copies what is there now. world.mu must be held.
func (c *collection) snapshot() *snapshot {
	s := &snapshot{
		version: c.world.version, states: slices.Clone(c.states),
		own: slices.SortedFunc(maps.Values(c.own), func(a, b stored) int { return cmp.Compare(a.key, b.key) }),
	}
	s.items = len(s.own)
	for i := range s.states {
		if present(&s.states[i]) {
			s.items++
		}
	}
	return s
}

// each calls f for the objects from a position on, in a fixed order, until it returns false, and returns the position to go
// on from, -1 at the end.
func (s *snapshot) each(from int, f func(item) bool) (next int) {
	for i := from; i < len(s.states); i++ {
		if present(&s.states[i]) && !f(item{index: i, state: s.states[i]}) {
			return i
		}
	}
	for i := max(0, from-len(s.states)); i < len(s.own); i++ {
		if !f(item{index: -1, own: s.own[i]}) {
			return len(s.states) + i
		}
	}
	return -1
}
