// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	admissionv1 "k8s.io/api/admission/v1"

	"github.com/headroom-dev/headroom/fit"
	"github.com/headroom-dev/headroom/policy"
	"github.com/headroom-dev/headroom/verdict"
)

// The informer may be later than the scheduler, for a moment.
func TestBindingOfAPodThatIsNotKnownYet(t *testing.T) {
	unknown := fit.Steering{Mode: policy.Enforce, Verdict: verdict.Unknown, Reason: fit.UnknownPod}
	for what, c := range map[string]struct {
		knownAfter time.Duration
		change     func(*admissionv1.AdmissionReview)
		sendBack   bool
		took       time.Duration
	}{
		"it is known soon":        {95 * time.Millisecond, func(*admissionv1.AdmissionReview) {}, true, 100 * time.Millisecond},
		"it is known too late":    {time.Second, func(*admissionv1.AdmissionReview) {}, false, unknownWait},
		"a dry run does not wait": {95 * time.Millisecond, dryRun, false, 0},
	} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start, m := time.Now(), NewMetrics(nil)
				h := NewBindings(HandlerOptions{Metrics: m}, Bindings{
					Steer: func(fit.Binding) fit.Steering {
						if time.Since(start) < c.knownAfter {
							return unknown
						}
						return tooFull
					},
					SendBack: func(SendBack) fit.Reason { return "" },
				})
				r := postBinding(t, h, bindingReview(t, c.change))
				if took := time.Since(start); r.Allowed == c.sendBack || took != c.took {
					t.Errorf("allowed %v after %v, want %v after %v", r.Allowed, took, !c.sendBack, c.took)
				}
				outcome := "unknown-pod"
				if c.sendBack {
					outcome = "sent-back"
				}
				countedBinding(t, m, outcome)
			})
		})
	}
}

// One that never ends keeps no other from being let through.
func TestBindingThatNeverEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, stuck := NewMetrics(nil), make(chan struct{})
		h := NewBindings(HandlerOptions{Metrics: m}, Bindings{Steer: func(fit.Binding) fit.Steering { <-stuck; return fit.Steering{} }})
		var running sync.WaitGroup
		for range 3 {
			running.Go(func() {
				if r := postBinding(t, h, bindingReview(t)); !r.Allowed || r.AuditAnnotations["undecided"] != "timeout" {
					t.Errorf("allowed %v, annotations %v", r.Allowed, r.AuditAnnotations)
				}
			})
		}
		running.Wait()
		if n := testutil.ToFloat64(m.bindings.WithLabelValues("undecided")); n != 3 {
			t.Errorf("%v undecided, want 3", n)
		}
		close(stuck)
		synctest.Wait()
	})
}
