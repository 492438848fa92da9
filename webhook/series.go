// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/headroom-dev/headroom/fit"
	"github.com/headroom-dev/headroom/policy"
	"github.com/headroom-dev/headroom/verdict"
)

// series are those of a counter that are known beforehand, by what their labels are made of. It never changes.
type series[K comparable] struct {
	known map[K]prometheus.Counter
	find  func(K) prometheus.Counter
}

func newSeries[K comparable](find func(K) prometheus.Counter, all []K) series[K] {
	known := make(map[K]prometheus.Counter, len(all))
	for _, key := range all {
		known[key] = find(key)
	}
	return series[K]{known, find}
}

// of returns the series of a key, whether it is known or not.
func (s *series[K]) of(key K) prometheus.Counter {
	if counter := s.known[key]; counter != nil {
		return counter
	}
	return s.find(key)
}

// decisionLabels are those of decisions_total.
type decisionLabels struct {
	webhook string
	verdict verdict.Verdict
	mode    policy.Mode
	action  fit.Action
}

// whyLabels are those of undecided_total and of exempt_total.
type whyLabels struct{ webhook, why string }

// decisionSeries are all that a sound evaluator makes of pods and workloads.
func decisionSeries() []decisionLabels {
	var all []decisionLabels
	for _, webhook := range []string{podsLabel, workloadsLabel} {
		for _, v := range verdict.All() {
			for _, mode := range []policy.Mode{policy.Audit, policy.Warn, policy.Enforce} {
				for _, action := range []fit.Action{fit.Allow, fit.Warn, fit.Deny} {
					if heldToMode(fit.Decision{Verdict: v, Mode: mode, Action: action}, webhook == podsLabel) == action {
						all = append(all, decisionLabels{webhook, v, mode, action})
					}
				}
			}
		}
	}
	return all
}

// whySeries are all reasons or exemptions of pods and workloads.
func whySeries[T ~string](whys []T) []whyLabels {
	var all []whyLabels
	for _, webhook := range []string{podsLabel, workloadsLabel} {
		for _, why := range whys {
			all = append(all, whyLabels{webhook, string(why)})
		}
	}
	return all
}
