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
	s := &section{Run: &r.APIServer.Run, Nodes: grouped(float64(r.APIServer.Nodes))}
	type row struct {
		way  string
		rate float64
	}
	var seen []row
	for i := range r.APIServer.Samples {
		way, rate := r.APIServer.Samples[i].Way, r.APIServer.Samples[i].Rate
		if slices.Contains(seen, row{way, rate}) {
			continue
		}
		seen = append(seen, row{way, rate})
		of := func(value func(*Creation) float64) string { return r.creation(way, rate, value).figure().String() }
		figures := map[string]string{
			"Rate": number(rate), "Name": way, "Within": "-", "WebhookCPU": "-", "Waited": "-",
			"P50":          of(func(c *Creation) float64 { return c.Latency.P50 / 1000 }),
			"P99":          of(func(c *Creation) float64 { return c.Latency.P99 / 1000 }),
			"APIServerCPU": of(func(c *Creation) float64 { return c.APIServerCPUSeconds / float64(c.Pods) * 1000 }),
		}
		if way == WayWebhook || way == WayHeadroom {
			figures["Within"] = of(func(c *Creation) float64 { return c.Within5ms / c.Calls * 100 })
			figures["WebhookCPU"] = of(func(c *Creation) float64 { return c.WebhookCPUSeconds / float64(c.Pods) * 1000 })
		}
		if way == WayHeadroom {
			figures["Waited"] = of(func(c *Creation) float64 { return c.Waited })
		}
		s.Rows = append(s.Rows, figures)
	}
	return s
}
