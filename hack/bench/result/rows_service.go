// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package result

import "slices"

// size is a cluster's.
type size struct{ nodes, pods int }

func (r *Results) serviceRows() *section {
	if r.Service == nil {
		return nil
	}
	s := &section{Run: &r.Service.Run}
	for _, at := range r.sizes() {
		of := func(value func(*Served) float64) string { return r.served(at.nodes, at.pods, value).figure().String() }
		s.Rows = append(s.Rows, map[string]string{
			"Nodes": grouped(float64(at.nodes)), "Pods": grouped(float64(at.pods)),
			"Sync": of(func(s *Served) float64 { return s.SyncSeconds }), "SyncCPU": of(func(s *Served) float64 { return s.SyncCPUSeconds }),
			"Decode":    of(func(s *Served) float64 { return positive(s.DecodeCPUSeconds) }),
			"Resident":  of(func(s *Served) float64 { return float64(s.Memory.ResidentBytes) / mebibyte }),
			"Peak":      of(func(s *Served) float64 { return float64(s.Memory.PeakBytes) / mebibyte }),
			"Informers": of(func(s *Served) float64 { return positive(float64(s.InformersBytes) / mebibyte) }),
			"Cores":     of(func(s *Served) float64 { return positive(s.EventsCores) }), "Made": of(func(s *Served) float64 { return positive(s.EventsMade) }),
		})
		s.Asked, s.Fresh = append(s.Asked, r.askedRows(at)...), append(s.Fresh, r.freshRows(at)...)
	}
	return s
}

// sizes are those of all clusters, in the order of the first round.
func (r *Results) sizes() []size {
	var all []size
	for i := range r.Service.Samples {
		if at := (size{r.Service.Samples[i].Nodes, r.Service.Samples[i].Pods}); !slices.Contains(all, at) {
			all = append(all, at)
		}
	}
	return all
}

// askedRows are of requests among events, at each rate of the first round.
func (r *Results) askedRows(at size) (rows []map[string]string) {
	first := slices.IndexFunc(r.Service.Samples, func(s Served) bool { return s.Nodes == at.nodes && s.Pods == at.pods })
	for _, asked := range r.Service.Samples[first].Asked {
		of := func(value func(*Asked) float64) string { return r.asked(at, asked.Rate, value).figure().String() }
		rows = append(rows, map[string]string{
			"Nodes": grouped(float64(at.nodes)), "Pods": grouped(float64(at.pods)),
			"Rate": grouped(asked.Rate), "PodEvents": grouped(asked.PodEvents), "NodeUpdates": grouped(asked.NodeUpdates),
			"P50": of(func(a *Asked) float64 { return p50(a.Headroom) / 1000 }), "P99": of(func(a *Asked) float64 { return p99(a.Headroom) / 1000 }),
			"BareP50": of(func(a *Asked) float64 { return p50(a.Bare) / 1000 }), "BareP99": of(func(a *Asked) float64 { return p99(a.Bare) / 1000 }),
			"Cores": of(func(a *Asked) float64 { return a.Headroom.ServerCPUSeconds / a.Headroom.Seconds }),
		})
	}
	return rows
}

// freshRows are of the events whose effect was waited for.
func (r *Results) freshRows(at size) (rows []map[string]string) {
	for _, kind := range []struct {
		name  string
		shown func(*Served) *Shown
	}{
		{"a pod is bound, and will pull", func(s *Served) *Shown { return s.BoundPod }},
		{"a node lists an image", func(s *Served) *Shown { return s.ChangedNode }},
	} {
		of := func(value func(*Shown) float64) Figure {
			return r.served(at.nodes, at.pods, func(s *Served) float64 {
				if shown := kind.shown(s); shown != nil {
					return value(shown)
				}
				return missing
			}).figure()
		}
		events := of(func(s *Shown) float64 { return float64(s.Events) })
		if events.Rounds == 0 {
			continue
		}
		rows = append(rows, map[string]string{
			"Name": kind.name, "Nodes": grouped(float64(at.nodes)), "Pods": grouped(float64(at.pods)), "Events": events.String(),
			"P50": of(func(s *Shown) float64 { return s.Latency.P50 / 1000 }).String(),
			"P99": of(func(s *Shown) float64 { return s.Latency.P99 / 1000 }).String(),
			"Max": of(func(s *Shown) float64 { return s.Latency.Max / 1000 }).String(),
		})
	}
	return rows
}

// situationNames say what all kubelets are like.
var situationNames = map[string]string{
	FarFromLines:   "all with much room",
	NearLines:      "all near a line",
	WithInterfaces: "all near a line, with an interface for each pod",
}

func (r *Results) pollingRows() *section {
	if r.Polling == nil {
		return nil
	}
	s := &section{Run: &r.Polling.Run}
	for _, situation := range Situations() {
		at := slices.IndexFunc(r.Polling.Samples, func(p Polled) bool { return p.Situation == situation })
		if at < 0 {
			continue
		}
		kubelets := r.Polling.Samples[at].Kubelets
		of := func(value func(*Polled) float64) string {
			return r.polled(situation, kubelets, value).figure().String()
		}
		s.Rows = append(s.Rows, map[string]string{
			"Name": situationNames[situation], "Kubelets": grouped(float64(kubelets)),
			"Polls":    of((*Polled).PollsPerSecond),
			"CPU":      of(func(p *Polled) float64 { return p.CPUSecondsPerPoll() * 1e6 }),
			"Bytes":    of(func(p *Polled) float64 { return p.Bytes / p.Polls / 1000 }),
			"Due":      of((*Polled).Due),
			"Cores":    of((*Polled).Cores),
			"PerSec":   of(func(p *Polled) float64 { return p.BytesPerSecond() / 1e6 }),
			"Resident": of(func(p *Polled) float64 { return float64(p.Memory.ResidentBytes) / mebibyte }),
		})
	}
	return s
}
