// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package disk

import (
	"maps"
	"time"
)

// Pressure is the memory of the kubelet's eviction manager between its passes.
// The zero value is a kubelet that has just started.
type Pressure struct {
	firstObserved map[string]time.Time
	met           map[string]Threshold
	// lastSeen is when a threshold was last observed, with or without its grace
	// period; zero means never.
	lastSeen  time.Time
	condition bool
	lastTime  map[Signal]time.Time
}

// DiskPressure is the condition as of the last pass. It does not fade between passes.
func (p *Pressure) DiskPressure() bool { return p.condition }

// Observe is the first half of a pass of the eviction manager (kubelet:
// managerImpl.synchronize up to the reclaim). It sets the condition and returns
// the thresholds to act on: met, past their grace period, and observed on newer
// statistics than last time.
func (p *Pressure) Observe(now time.Time, thresholds []Threshold, seen map[Signal]Observation, transition time.Duration) []Threshold {
	met := map[string]Threshold{}
	for _, t := range thresholds {
		o, ok := seen[t.Signal]
		_, recovering := p.met[t.key()]
		if ok && (t.Met(o, false) || recovering && t.Met(o, true)) {
			met[t.key()] = t
		}
	}

	first := map[string]time.Time{}
	for key := range met {
		first[key] = now
		if at, ok := p.firstObserved[key]; ok {
			first[key] = at
		}
	}
	p.firstObserved = first

	// DiskPressure comes with the first observation and stays until the transition
	// period has passed since the last one.
	if len(met) > 0 {
		p.lastSeen = now
	}
	p.condition = !p.lastSeen.IsZero() && now.Sub(p.lastSeen) < transition

	maps.DeleteFunc(met, func(key string, t Threshold) bool { return now.Sub(first[key]) < t.Grace })
	p.met = met

	var act []Threshold
	for _, t := range thresholds {
		o := seen[t.Signal]
		last, known := p.lastTime[t.Signal]
		if _, ok := met[t.key()]; ok && (!known || o.Time.After(last)) {
			act = append(act, t)
		}
	}
	p.lastTime = map[Signal]time.Time{}
	for signal, o := range seen {
		p.lastTime[signal] = o.Time
	}
	return act
}

// Relieved says whether a reclaim was enough: no threshold is met any more, its
// minimum reclaim included (kubelet: reclaimNodeLevelResources).
func Relieved(thresholds []Threshold, seen map[Signal]Observation) bool {
	for _, t := range thresholds {
		if o, ok := seen[t.Signal]; ok && t.Met(o, true) {
			return false
		}
	}
	return true
}

// ReclaimsImages says whether pressure by the signal makes the kubelet delete
// dead containers and unused images before it evicts pods. With an image disk of
// its own, a full node disk goes straight to pods (kubelet:
// buildSignalToNodeReclaimFuncs).
func ReclaimsImages(signal Signal, sharedWithNodeFS bool) bool {
	return signal == ImageFSAvailable || sharedWithNodeFS
}
