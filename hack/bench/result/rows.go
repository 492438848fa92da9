// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package result

import (
	"fmt"
	"slices"

	"github.com/headroom-dev/headroom/hack/bench/fleet"
	"github.com/headroom-dev/headroom/hack/bench/load"
	"github.com/headroom-dev/headroom/hack/bench/peer"
)

// section is what a part of the page shows.
type section struct {
	Run     *Run
	Rows    []map[string]string
	Open    []map[string]string
	Asked   []map[string]string
	Fresh   []map[string]string
	Missing []string
	Nodes   string
}

func (r *Results) requestRows() *section {
	if r.Requests == nil {
		return nil
	}
	s := &section{Run: &r.Requests.Run}
	manager, decoding := r.cpu(webhook{peer: peer.ControllerRuntime}), r.cpu(webhook{peer: peer.SameDecoding})
	for _, w := range r.webhooks() {
		cpu := r.cpu(w)
		s.Rows = append(s.Rows, map[string]string{
			"Name": w.String(), "CPU": cpu.figure().String(), "OfManager": times(cpu.over(manager)), "OfDecoding": times(cpu.over(decoding)),
			"PerCore": r.perCore(w).figure().String(),
		})
		open := r.openCPU(w, load.Open)
		if len(open) == 0 {
			continue
		}
		var rate float64
		r.samples(w, load.Open, func(s *Sample) { rate = s.Rate })
		s.Open = append(s.Open, map[string]string{
			"Name": w.String(), "Rate": number(rate), "CPU": open.figure().String(), "VegetaCPU": r.openCPU(w, load.Vegeta).figure().String(),
			"P50": r.latency(w, load.Open, p50).figure().String(), "P99": r.latency(w, load.Open, p99).figure().String(),
			"VegetaP50": r.latency(w, load.Vegeta, p50).figure().String(), "VegetaP99": r.latency(w, load.Vegeta, p99).figure().String(),
		})
	}
	return s
}

// webhooks are those that were asked, in the order of the first round.
func (r *Results) webhooks() []webhook {
	var all []webhook
	for i := range r.Requests.Samples {
		s := &r.Requests.Samples[i]
		w := webhook{peer: s.Peer}
		if s.Peer == peer.Headroom && s.Fleet != nil {
			w = headroomOf(s.Fleet.Nodes, s.Fleet.Kind)
		}
		if !slices.Contains(all, w) {
			all = append(all, w)
		}
	}
	return all
}

// String names it in tables.
func (w webhook) String() string {
	if w.peer != peer.Headroom {
		return w.peer
	}
	return w.peer + ", " + fleetName(w.nodes, w.kind)
}

func fleetName(nodes int, kind string) string {
	name := grouped(float64(nodes)) + " nodes"
	switch kind {
	case fleet.NearlyFull:
		name += " nearly full"
	case fleet.Burst:
		name += " in a burst"
	}
	return name
}

func times(f Figure) string {
	if f.Rounds == 0 {
		return "-"
	}
	return f.String() + "x"
}

func (r *Results) decisionRows() *section {
	if r.Decisions == nil {
		return nil
	}
	s := &section{Run: &r.Decisions.Run}
	var seen []fleet.Spec
	for i := range r.Decisions.Samples {
		f := r.Decisions.Samples[i].Fleet
		if slices.Contains(seen, f) {
			continue
		}
		seen = append(seen, f)
		of := func(value func(*Decision) float64) string {
			values := byRound{}
			for i := range r.Decisions.Samples {
				if d := &r.Decisions.Samples[i]; d.Fleet == f && d.Count > 0 {
					values[d.Round] = value(d)
				}
			}
			return values.figure().String()
		}
		ledger := byRound{}
		for i := range r.Decisions.Samples {
			if d := &r.Decisions.Samples[i]; d.Fleet == f {
				ledger[d.Round] = float64(d.LedgerBytes) / mebibyte
			}
		}
		amid := "-"
		if f.Kind == fleet.Burst {
			amid = of(func(d *Decision) float64 { return d.amid() })
		}
		s.Rows = append(s.Rows, map[string]string{
			"Name": fmt.Sprintf("%s x %d images, %d pods a node", fleetName(f.Nodes, f.Kind), f.ImagesPerNode, f.PodsPerNode), "Amid": amid,
			"P50": of(func(d *Decision) float64 { return d.Latency.P50 }), "P99": of(func(d *Decision) float64 { return d.Latency.P99 }),
			"FirstP50": of(func(d *Decision) float64 { return d.First.P50 }), "FirstMax": of(func(d *Decision) float64 { return d.First.Max }),
			"AgainP50":    of(func(d *Decision) float64 { return d.Again.P50 }),
			"Allocations": of(func(d *Decision) float64 { return d.Allocations }), "Ledger": ledger.figure().String(),
		})
	}
	return s
}
