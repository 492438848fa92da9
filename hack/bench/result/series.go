// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package result

import (
	"math"

	"github.com/headroom-dev/headroom/hack/bench/load"
	"github.com/headroom-dev/headroom/hack/bench/peer"
)

// webhook names who was asked: a peer, and of Headroom's the fleet.
type webhook struct {
	peer  string
	nodes int
	kind  string
}

func (w webhook) is(s *Sample) bool {
	if s.Peer != w.peer {
		return false
	}
	return w.peer != peer.Headroom || s.Fleet != nil && s.Fleet.Nodes == w.nodes && s.Fleet.Kind == w.kind
}

func headroomOf(nodes int, kind string) webhook {
	return webhook{peer: peer.Headroom, nodes: nodes, kind: kind}
}

// samples calls f for those of one webhook by one generator.
func (r *Results) samples(w webhook, generator string, f func(*Sample)) {
	if r.Requests == nil {
		return
	}
	for i := range r.Requests.Samples {
		if s := &r.Requests.Samples[i]; s.Generator == generator && w.is(s) {
			f(s)
		}
	}
}

// cpu is processor time a request, in microseconds: of the closed loop.
func (r *Results) cpu(w webhook) byRound {
	values := byRound{}
	r.samples(w, load.Closed, func(s *Sample) {
		if m := &s.Measurement; m.Requests > 0 && m.Errors == 0 {
			values[s.Round] = m.ServerCPUSeconds / float64(m.Requests) * 1e6
		}
	})
	return values
}

// perCore is how many requests a processor answers in a second of its time.
func (r *Results) perCore(w webhook) byRound {
	values := byRound{}
	for round, microseconds := range r.cpu(w) {
		if microseconds > 0 {
			values[round] = 1e6 / microseconds
		}
	}
	return values
}

// openCPU is processor time a request in an open loop, in microseconds.
func (r *Results) openCPU(w webhook, generator string) byRound {
	values := byRound{}
	r.samples(w, generator, func(s *Sample) {
		if m := &s.Measurement; m.Requests > 0 {
			values[s.Round] = m.ServerCPUSeconds / float64(m.Requests) * 1e6
		}
	})
	return values
}

// latency is one figure of an open loop, in milliseconds.
func (r *Results) latency(w webhook, generator string, of func(*load.Measurement) float64) byRound {
	values := byRound{}
	r.samples(w, generator, func(s *Sample) { values[s.Round] = of(&s.Measurement) / 1000 })
	return values
}

// decision is one figure of the decisions over one fleet.
func (r *Results) decision(nodes, images int, kind string, of func(*Decision) float64) byRound {
	values := byRound{}
	if r.Decisions == nil {
		return values
	}
	for i := range r.Decisions.Samples {
		d := &r.Decisions.Samples[i]
		if d.Fleet.Nodes == nodes && d.Fleet.ImagesPerNode == images && d.Fleet.Kind == kind {
			values[d.Round] = of(d)
		}
	}
	return values
}

// engine is what a decision of a policy engine takes, in microseconds.
func (r *Results) engine(name string, nodes int) byRound {
	values := byRound{}
	if r.Engines == nil {
		return values
	}
	for i := range r.Engines.Samples {
		if e := &r.Engines.Samples[i]; e.Name == name && e.Nodes == nodes && e.Pods > 0 {
			values[e.Round] = e.DecisionMicroseconds()
		}
	}
	return values
}

// creation is one figure of one way of admission at one rate.
func (r *Results) creation(way string, rate float64, of func(*Creation) float64) byRound {
	values := byRound{}
	if r.APIServer == nil {
		return values
	}
	for i := range r.APIServer.Samples {
		if c := &r.APIServer.Samples[i]; c.Way == way && c.Rate == rate && c.Pods > 0 {
			values[c.Round] = of(c)
		}
	}
	return values
}

// asked is one figure of requests among events.
func (r *Results) asked(at size, rate float64, of func(*Asked) float64) byRound {
	return r.served(at.nodes, at.pods, func(s *Served) float64 {
		for i := range s.Asked {
			if s.Asked[i].Rate == rate {
				return of(&s.Asked[i])
			}
		}
		return missing
	})
}

// missing is a figure that was not measured.
var missing = math.NaN()

// positive is v, or missing.
func positive(v float64) float64 {
	if v > 0 {
		return v
	}
	return missing
}

// served is one figure of whole services of one size, of those for which it is not missing.
func (r *Results) served(nodes, pods int, of func(*Served) float64) byRound {
	values := byRound{}
	if r.Service == nil {
		return values
	}
	for i := range r.Service.Samples {
		if s := &r.Service.Samples[i]; s.Nodes == nodes && s.Pods == pods {
			if v := of(s); !math.IsNaN(v) {
				values[s.Round] = v
			}
		}
	}
	return values
}

// polled is one figure of asking so many kubelets in one situation. Rounds in which questions failed don't count.
func (r *Results) polled(situation string, kubelets int, of func(*Polled) float64) byRound {
	values := byRound{}
	if r.Polling == nil {
		return values
	}
	for i := range r.Polling.Samples {
		if p := &r.Polling.Samples[i]; p.Situation == situation && p.Kubelets == kubelets && p.Polls > 0 && p.Failures == 0 {
			values[p.Round] = of(p)
		}
	}
	return values
}
