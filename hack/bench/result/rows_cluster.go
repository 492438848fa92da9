// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package result

import (
	"fmt"
	"maps"
	"slices"

	"github.com/headroom-dev/headroom/hack/bench/fleet"
)

func (r *Results) engineRows() *section {
	if r.Engines == nil {
		return nil
	}
	s := &section{Run: &r.Engines.Run}
	type row struct {
		name  string
		nodes int
	}
	var seen []row
	for i := range r.Engines.Samples {
		e := &r.Engines.Samples[i]
		if slices.Contains(seen, row{e.Name, e.Nodes}) {
			continue
		}
		seen = append(seen, row{e.Name, e.Nodes})
		s.Rows = append(s.Rows, map[string]string{
			"Name": e.Name, "Nodes": grouped(float64(e.Nodes)), "Decision": r.engine(e.Name, e.Nodes).figure().String(),
			"Headroom": r.cpu(headroomOf(e.Nodes, fleet.NearlyFull)).figure().String(),
		})
	}
	for _, name := range slices.Sorted(maps.Keys(r.Engines.Missing)) {
		s.Missing = append(s.Missing, fmt.Sprintf("Not measured: %s: %s", name, r.Engines.Missing[name]))
	}
	return s
}

func (r *Results) creationRows() *section {
	if r.APIServer == nil {
		return nil
	}
	s := &section{Run: &r.APIServer.Run, Rate: number(r.APIServer.Rate), Nodes: grouped(float64(r.APIServer.Nodes))}
	for _, way := range []string{WayNone, WayVAP, WayHeadroom} {
		of := func(value func(*Creation) float64) string { return r.creation(way, value).figure().String() }
		row := map[string]string{
			"Name": way, "Within": "-", "HeadroomCPU": "-", "Waited": "-",
			"P50":          of(func(c *Creation) float64 { return c.Latency.P50 / 1000 }),
			"P99":          of(func(c *Creation) float64 { return c.Latency.P99 / 1000 }),
			"APIServerCPU": of(func(c *Creation) float64 { return c.APIServerCPUSeconds / float64(c.Pods) * 1000 }),
		}
		if way == WayHeadroom {
			row["Within"] = of(func(c *Creation) float64 { return c.Within5ms / c.Calls * 100 })
			row["HeadroomCPU"] = of(func(c *Creation) float64 { return c.HeadroomCPUSeconds / float64(c.Pods) * 1000 })
			row["Waited"] = of(func(c *Creation) float64 { return c.Waited })
		}
		s.Rows = append(s.Rows, row)
	}
	return s
}

func (r *Results) serviceRows() *section {
	if r.Service == nil {
		return nil
	}
	s := &section{Run: &r.Service.Run}
	type size struct{ nodes, pods int }
	var seen []size
	for i := range r.Service.Samples {
		at := size{r.Service.Samples[i].Nodes, r.Service.Samples[i].Pods}
		if slices.Contains(seen, at) {
			continue
		}
		seen = append(seen, at)
		of := func(value func(*Served) float64) string { return r.served(at.nodes, at.pods, value).figure().String() }
		s.Rows = append(s.Rows, map[string]string{
			"Nodes": grouped(float64(at.nodes)), "Pods": grouped(float64(at.pods)),
			"Sync": of(func(s *Served) float64 { return s.SyncSeconds }), "SyncCPU": of(func(s *Served) float64 { return s.SyncCPUSeconds }),
			"Decode":    of(func(s *Served) float64 { return positive(s.DecodeCPUSeconds) }),
			"Resident":  of(func(s *Served) float64 { return float64(s.Memory.ResidentBytes) / mebibyte }),
			"Peak":      of(func(s *Served) float64 { return float64(s.Memory.PeakBytes) / mebibyte }),
			"Informers": of(func(s *Served) float64 { return positive(float64(s.InformersBytes) / mebibyte) }),
			"Cores":     of(func(s *Served) float64 { return positive(s.EventsCores) }),
		})
	}
	return s
}
