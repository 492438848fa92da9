// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package synthapi

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/headroom-dev/headroom/test/synthapi/fleet"
)

// Churn is what changes in the fleet. A pod's life has five events: it is told to end, it is gone, another of its template
// is created, it gets the node, it runs there.
type Churn struct {
	// Seed decides which objects change.
	Seed uint64
	// PodEventsPerSecond and NodeUpdatesPerSecond are how many events there are, evenly over time.
	PodEventsPerSecond, NodeUpdatesPerSecond float64
	// ListEvery is which of a node's updates changes its list of images; the others are heartbeats. 0 is none.
	ListEvery int
	// PodsInMotion is how many pods are on their way at a time: PodEventsPerSecond unless told, so that one has an event a
	// second.
	PodsInMotion int
	// Now is the clock; nil means time.Now.
	Now func() time.Time `json:"-"`
}

// Churner makes the events of a Churn. It is not safe for concurrent use.
type Churner struct {
	churn       Churn
	nodes, pods *collection
	random      *rand.Rand
	moving      []int // pods on their way, by their places; the next one first
}

// NewChurner returns one that has done nothing. Two of them at a time on one server would give pods two lives.
func (s *Server) NewChurner(c Churn) *Churner {
	if c.Now == nil {
		c.Now = wallClock
	}
	if c.PodsInMotion <= 0 {
		c.PodsInMotion = max(1, int(c.PodEventsPerSecond))
	}
	return &Churner{
		churn: c, nodes: s.world.collections[Nodes], pods: s.world.collections[Pods],
		random: rand.New(rand.NewPCG(c.Seed, 1)), //nolint:gosec // chance, not secrecy
	}
}

// tick is how often the events that are due are made.
const tick = 5 * time.Millisecond

// Run makes events at the rates until ctx ends, and returns how many it has made. What it can't keep up with for a second it
// leaves out.
func (c *Churner) Run(ctx context.Context) (podEvents, nodeUpdates int) {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	last := c.churn.Now()
	var owedPods, owedNodes float64
	for {
		select {
		case <-ctx.Done():
			return podEvents, nodeUpdates
		case <-ticker.C:
		}
		now := c.churn.Now()
		passed := min(now.Sub(last).Seconds(), 1)
		last = now
		owedPods += passed * c.churn.PodEventsPerSecond
		owedNodes += passed * c.churn.NodeUpdatesPerSecond
		duePods, dueNodes := int(owedPods), int(owedNodes)
		owedPods, owedNodes = owedPods-float64(duePods), owedNodes-float64(dueNodes)
		c.pods.world.mu.Lock()
		for range duePods {
			podEvents += c.podEvent()
		}
		for range dueNodes {
			nodeUpdates += c.nodeUpdate()
		}
		c.pods.world.mu.Unlock()
	}
}

// PodEvent makes the next one, and returns how many that were: 0 where there is no pod left.
func (c *Churner) PodEvent() int {
	c.pods.world.mu.Lock()
	defer c.pods.world.mu.Unlock()
	return c.podEvent()
}

// podEvent is PodEvent with world.mu held.
func (c *Churner) podEvent() int {
	if len(c.moving) < c.churn.PodsInMotion {
		if place, found := c.draw(c.pods); found {
			s := c.pods.states[place]
			s.Phase, s.Deleted = fleet.Deleting, c.seconds()
			c.pods.set(place, s)
			c.moving = append(c.moving, place)
			return 1
		}
	}
	if len(c.moving) == 0 {
		return 0
	}
	place := c.moving[0]
	c.moving = c.moving[1:]
	if c.pods.replaced[place] {
		return 0
	}
	s := c.next(c.pods.states[place])
	c.pods.set(place, s)
	if s.Phase != fleet.Running {
		c.moving = append(c.moving, place)
	}
	return 1
}

// next is what comes after a state.
func (c *Churner) next(s fleet.State) fleet.State {
	switch s.Phase {
	case fleet.Deleting:
		return fleet.State{Life: s.Life}
	case fleet.Gone:
		return fleet.State{Phase: fleet.Waiting, Life: s.Life + 1, Created: c.seconds()}
	case fleet.Waiting:
		s.Phase = fleet.Bound
	default:
		s.Phase, s.Started = fleet.Running, c.seconds()
	}
	return s
}

// NodeUpdate makes the next one, and returns how many that were: 0 where there is no node left.
func (c *Churner) NodeUpdate() int {
	c.nodes.world.mu.Lock()
	defer c.nodes.world.mu.Unlock()
	return c.nodeUpdate()
}

// nodeUpdate is NodeUpdate with world.mu held.
func (c *Churner) nodeUpdate() int {
	i, found := c.draw(c.nodes)
	if !found {
		return 0
	}
	s := c.nodes.states[i]
	s.Started = c.seconds()
	if c.churn.ListEvery > 0 && c.random.IntN(c.churn.ListEvery) == 0 {
		s.Life++
	}
	c.nodes.set(i, s)
	return 1
}

// draw finds a generated object that runs, by chance.
func (c *Churner) draw(of *collection) (i int, found bool) {
	const tries = 50
	for range tries {
		if len(of.states) == 0 {
			return 0, false
		}
		if i = c.random.IntN(len(of.states)); of.states[i].Phase == fleet.Running {
			return i, true
		}
	}
	return 0, false
}

func (c *Churner) seconds() uint32 {
	return uint32(c.churn.Now().Unix()) //nolint:gosec // until 2106
}

// wallClock is the clock of everything here that is not given another one.
func wallClock() time.Time {
	return time.Now() //nolint:forbidigo // rates are rates of real time
}
