// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr/funcr"
	"github.com/prometheus/client_golang/prometheus/testutil"
	admissionv1 "k8s.io/api/admission/v1"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/headroom-dev/headroom/fit"
)

// TestWhatIsNotJudgedFillsNoLog: each reason is in the log once a minute, and counted each time.
func TestWhatIsNotJudgedFillsNoLog(t *testing.T) {
	lines := map[string]int{}
	log := funcr.New(func(_, line string) {
		for _, what := range []string{"Panic while", `"reason"="panic"`, `"reason"="undecodable"`} {
			if strings.Contains(line, what) {
				lines[what]++
			}
		}
	}, funcr.Options{Verbosity: 0})
	now, m := clocktesting.NewFakePassiveClock(time.Now()), NewMetrics(nil)
	h := NewPods(HandlerOptions{
		Evaluator: evaluatorFunc(func(fit.Request) fit.Decision { panic("a mistake") }), Metrics: m, Clock: now, Log: log,
	})
	broken := func(r *admissionv1.AdmissionReview) { r.Request.Object.Raw = []byte(`1`) }
	for minute := 1; minute <= 2; minute++ {
		for range 5 {
			post(t, h, reviewOf(t, aPod()))
			post(t, h, reviewOf(t, aPod(), broken))
		}
		for _, what := range []string{"Panic while", `"reason"="panic"`, `"reason"="undecodable"`} {
			if lines[what] != minute {
				t.Errorf("minute %d: %d lines with %s, want one a minute", minute, lines[what], what)
			}
		}
		now.SetTime(now.Now().Add(sayAgain))
	}
	for _, why := range []fit.Reason{Panicked, Undecodable} {
		if n := testutil.ToFloat64(m.undecidedBy.WithLabelValues(podsLabel, string(why))); n != 10 {
			t.Errorf("%s is counted %v times, want 10", why, n)
		}
	}
	if n := testutil.ToFloat64(m.panics); n != 10 {
		t.Errorf("%v panics are counted, want 10", n)
	}
}
