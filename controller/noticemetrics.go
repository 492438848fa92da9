// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// What became of a notice: labels.
const (
	noticeRecorded = "recorded" // handed to the writer of Events, and logged
	noticeLogged   = "logged"   // nobody to tell: a refused pod that nothing made
	noticeRepeated = "repeated" // said a short while ago, for another pod or another try
	noticeDropped  = "dropped"  // too many at once, or about what can be no object
)

// NoticeMetrics counts notices. Label values are closed sets.
type NoticeMetrics struct {
	notices *prometheus.CounterVec
}

// NewNoticeMetrics makes the metrics and registers them with r, which may be nil. It panics if they are registered there
// already.
func NewNoticeMetrics(r prometheus.Registerer) *NoticeMetrics {
	m := &NoticeMetrics{notices: promauto.With(r).NewCounterVec(prometheus.CounterOpts{
		Namespace: metricPrefix, Name: "notices_total",
		Help: "Warnings and refusals to be repeated for owners of workloads, by action (Warn, Deny) and outcome: " +
			"recorded as an Event and in the log; logged, where there is no owner; repeated, so that nothing was done; dropped, because there were too many.",
	}, []string{"action", "outcome"})}
	for _, refused := range []bool{false, true} {
		for _, outcome := range []string{noticeRecorded, noticeLogged, noticeRepeated, noticeDropped} {
			m.notices.WithLabelValues(noticeAction(refused), outcome)
		}
	}
	return m
}

func (m *NoticeMetrics) count(n *Notice, outcome string) {
	m.notices.WithLabelValues(noticeAction(n.Refused), outcome).Inc()
}

// noticeAction is the word of headroom_admission_decisions_total.
func noticeAction(refused bool) string {
	if refused {
		return "Deny"
	}
	return "Warn"
}
