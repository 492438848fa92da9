// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fit

import (
	"math/bits"

	"github.com/headroom-dev/headroom/estimate"
)

// waits is what pods of one namespace that wait take at the most, in all; see waiting.go for what that is about.
type waits struct {
	// bytes is what their images take at the low bound, each once, on whichever class of nodes it is most.
	bytes int64
	// eager is set where some may be bound any time, certain where some are sure to come to a certain node.
	eager, certain bool
}

// waits returns it by namespace.
func (v *surveyor) waits(classes []classKey) map[string]waits {
	all := make(map[string]waits)
	for namespace, wants := range v.snapshot.Wants() {
		w := waits{eager: len(wants.Images) > 0, certain: wants.Certain}
		for _, ref := range wants.Images {
			most := int64(0)
			for _, key := range classes {
				most = max(most, v.sizes.lookUp(v.sizes.classAt(key), ref).Disk.Low)
			}
			w.bytes = estimate.SaturatingAdd(w.bytes, most)
		}
		all[namespace] = w
	}
	return all
}

// plenty reports whether the nodes that could hold the pod, all together, have room for it and for so much more: then it does not
// matter where those go that wait.
func (c *scan) plenty(bytes int64) bool {
	needed := int64(0)
	for i := range c.question.most {
		l := &c.question.most[i].loads[atBestScenario]
		needed = max(needed, estimate.SaturatingAdd(l.need, l.peak))
	}
	needed = estimate.SaturatingAdd(needed, bytes)
	none, room := load{}, int64(0)
	for i := range c.spans {
		s := &c.spans[i]
		m := &c.question.most[s.class]
		if !m.plain || s.odd || c.nanos >= s.until || s.worst(atBestScenario, &m.loads[atBestScenario]) >= c.deny {
			continue
		}
		each := min(s.bounds.least[atBestScenario].room(c.deny, &none), s.claims.least[atBestScenario].room(c.deny, &none))
		for k := s.from; k < s.to && each > 0; k++ {
			for range bits.OnesCount64(c.audience.possible[k] &^ c.blocks[k].blind()) {
				room = estimate.SaturatingAdd(room, each)
			}
		}
		if room >= needed {
			return true
		}
	}
	return false
}

// worst is the greatest severity that some node may have.
func (s *sums) worst(scenario int, l *load) int {
	return max(s.bounds.atWorst(scenario, l), s.claims.atWorst(scenario, l))
}

// harmless reports whether nothing happens on any of the nodes with that load.
func (s *sums) harmless(scenario int, l *load) bool {
	return s.worst(scenario, l) == 0
}
