// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/headroom-dev/headroom/imagesize"
)

// How a pull compares with what had been predicted of it: labels.
const (
	pullInside      = "inside"
	pullBelow       = "below"
	pullAbove       = "above"
	pullUnpredicted = "unpredicted"
)

// PullMetrics says how good the predictions are, by the pulls that were watched. Label values are closed sets.
type PullMetrics struct {
	ratio                 *prometheus.HistogramVec
	observations, lessons *prometheus.CounterVec
}

// NewPullMetrics makes the metrics and registers them with r, which may be nil. It panics if they are registered there
// already.
func NewPullMetrics(r prometheus.Registerer) *PullMetrics {
	f := promauto.With(r)
	m := &PullMetrics{
		ratio: f.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: metricPrefix, Name: "pull_taken_to_predicted_ratio",
			Help:    "What a pull took of its node's disk, for each byte of the likely value that had been predicted, by the source of the prediction.",
			Buckets: []float64{.25, .5, .7, .8, .9, .95, 1, 1.05, 1.1, 1.25, 1.5, 2, 3, 4},
		}, []string{"source"}),
		observations: f.NewCounterVec(prometheus.CounterOpts{
			Namespace: metricPrefix, Name: "pull_observations_total",
			Help: "Pulls that were watched from beginning to end, by how they compare with the predicted interval: inside, below, above, or unpredicted.",
		}, []string{"result"}),
		lessons: f.NewCounterVec(prometheus.CounterOpts{
			Namespace: metricPrefix, Name: "pull_lessons_total",
			Help: "What watched pulls taught of their node's pool, by outcome: used, or why not: too_small, vague, ambiguous, outlier, unknown.",
		}, []string{"outcome"}),
	}
	for _, source := range predictingSources() {
		m.ratio.WithLabelValues(string(source))
	}
	for _, result := range []string{pullInside, pullBelow, pullAbove, pullUnpredicted} {
		m.observations.WithLabelValues(result)
	}
	for _, outcome := range imagesize.Outcomes() {
		m.lessons.WithLabelValues(string(outcome))
	}
	return m
}

// predictingSources are the sources of a size that somebody told.
func predictingSources() []imagesize.Source {
	return []imagesize.Source{
		imagesize.SourceLayers, imagesize.SourceNode, imagesize.SourceEvent, imagesize.SourceRegistry, imagesize.SourceOperator,
	}
}

// observed compares what a pull took with what had been predicted.
func (m *PullMetrics) observed(takenBytes int64, p Prediction) {
	result := pullInside
	switch known := (imagesize.Size{Source: p.Source}).Known(); {
	case !known:
		result = pullUnpredicted
	case takenBytes < p.Bytes.Low:
		result = pullBelow
	case takenBytes > p.Bytes.High:
		result = pullAbove
	}
	m.observations.WithLabelValues(result).Inc()
	if result != pullUnpredicted && p.Bytes.Likely > 0 {
		m.ratio.WithLabelValues(string(p.Source)).Observe(float64(takenBytes) / float64(p.Bytes.Likely))
	}
}

func (m *PullMetrics) learned(outcome imagesize.Outcome) {
	m.lessons.WithLabelValues(string(outcome)).Inc()
}
