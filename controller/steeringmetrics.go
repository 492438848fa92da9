// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// What became of a soft taint: labels.
const (
	taintPut     = "put"
	taintRenewed = "renewed"
	taintRemoved = "removed"
	taintLimited = "limited"
	taintFailed  = "failed"
)

// SteeringMetrics counts what is done to nodes.
type SteeringMetrics struct {
	taints *prometheus.CounterVec
}

// NewSteeringMetrics makes the metrics and registers them with r, which may be nil. It panics if they are registered there
// already.
func NewSteeringMetrics(r prometheus.Registerer) *SteeringMetrics {
	m := &SteeringMetrics{taints: promauto.With(r).NewCounterVec(prometheus.CounterOpts{
		Namespace: metricPrefix, Name: "steering_taints_total",
		Help: "Soft taints on nodes, by what became of them: put, renewed, removed; limited, because too many came at once, or failed.",
	}, []string{"outcome"})}
	for _, outcome := range []string{taintPut, taintRenewed, taintRemoved, taintLimited, taintFailed} {
		m.taints.WithLabelValues(outcome)
	}
	return m
}

func (m *SteeringMetrics) taint(outcome string) { m.taints.WithLabelValues(outcome).Inc() }
