// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package serve

import (
	"io"
	"net/http"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// Metric is the value of the metric with these labels ("name=value"), or the
// sum of all that have them. An absent one is 0.
func (p *Process) Metric(t testing.TB, name string, labels ...string) float64 {
	t.Helper()
	families, err := familiesAt(p.MetricsURL)
	if err != nil {
		t.Fatal(err)
	}
	return sumOf(families[name], labels)
}

func familiesAt(url string) (map[string]*dto.MetricFamily, error) {
	response, err := http.DefaultClient.Get(url)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	return parser.TextToMetricFamilies(response.Body)
}

func sumOf(family *dto.MetricFamily, labels []string) (sum float64) {
	for _, metric := range family.GetMetric() {
		if hasLabels(metric, labels) {
			sum += metric.GetCounter().GetValue() + metric.GetGauge().GetValue() + float64(metric.GetHistogram().GetSampleCount())
		}
	}
	return sum
}

// metrics are Headroom's own series that are not zero, for a failing test's log.
func (p *Process) metrics() string {
	response, err := http.Get(p.MetricsURL)
	if err != nil {
		return err.Error()
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return err.Error()
	}
	var kept strings.Builder
	for line := range strings.Lines(string(body)) {
		if strings.HasPrefix(line, "headroom_") && !strings.HasSuffix(line, " 0\n") {
			kept.WriteString(line)
		}
	}
	return kept.String()
}

func hasLabels(metric *dto.Metric, labels []string) bool {
	for _, want := range labels {
		name, value, _ := strings.Cut(want, "=")
		found := false
		for _, label := range metric.GetLabel() {
			found = found || (label.GetName() == name && label.GetValue() == value)
		}
		if !found {
			return false
		}
	}
	return true
}
