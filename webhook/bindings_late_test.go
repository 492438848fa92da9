// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"k8s.io/apimachinery/pkg/types"

	"github.com/headroom-dev/headroom/fit"
	"github.com/headroom-dev/headroom/policy"
	"github.com/headroom-dev/headroom/verdict"
)

// A binding that was judged too late has been let through: nothing may be done as if it had been sent back, and those after it
// are told of it.
func TestBindingsJudgedTooLate(t *testing.T) {
	const late = 3 * time.Second // more than the two that the API server gives
	for what, c := range map[string]struct {
		steering, sending time.Duration
		backs             int
	}{
		"Steer took too long":    {late, 0, 0},
		"SendBack took too long": {0, late, 1},
	} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m, first, backs := NewMetrics(nil), true, 0
				var before []types.UID
				h := NewBindings(HandlerOptions{Metrics: m}, Bindings{
					Steer: func(b fit.Binding) fit.Steering {
						d := tooFull
						if d.Pod = b.UID; first {
							first = false
							time.Sleep(c.steering)
							return d
						}
						before = b.Before
						return fit.Steering{Pod: b.UID, Mode: policy.Enforce, Verdict: verdict.Fits}
					},
					SendBack: func(SendBack) fit.Reason { backs++; time.Sleep(c.sending); return "" },
				})
				var running sync.WaitGroup
				for _, pod := range []string{"late", "behind"} {
					running.Go(func() {
						if r := postBinding(t, h, bindingReview(t, boundTo(pod, "n"))); !r.Allowed || r.AuditAnnotations["undecided"] != "timeout" {
							t.Errorf("%s: allowed %v, annotations %v", pod, r.Allowed, r.AuditAnnotations)
						}
					})
					synctest.Wait() // It waits, in Steer or for that one.
				}
				running.Wait()
				time.Sleep(late)
				postBinding(t, h, bindingReview(t, boundTo("third", "n")))
				slices.Sort(before)
				if diff := cmp.Diff([]types.UID{"behind", "late"}, before); diff != "" {
					t.Errorf("let through before the third (-want +got):\n%s", diff)
				}
				if n := testutil.ToFloat64(m.bindings.WithLabelValues("sent-back")); backs != c.backs || n != 0 {
					t.Errorf("SendBack was asked %d times, want %d; %v count as sent back", backs, c.backs, n)
				}
			})
		})
	}
}

// Where steering is off, an answer waits for nothing: not for those before it, and not for a processor.
func TestBindingsWhereSteeringIsOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, stuck := NewMetrics(nil), make(chan struct{})
		var before []types.UID
		steered := Bindings{
			Unsteered: func(b fit.Binding) (fit.Steering, bool) {
				return fit.Steering{Pod: b.UID, Mode: policy.Warn, Verdict: verdict.Unknown, Reason: fit.ModeOff}, b.NamespaceMode == "Warn"
			},
			Steer: func(b fit.Binding) fit.Steering { before = b.Before; <-stuck; return fit.Steering{} },
		}
		mode := "Enforce"
		h := NewBindings(HandlerOptions{Metrics: m, NamespaceMode: func(string) string { return mode }}, steered)
		var running sync.WaitGroup
		running.Go(func() { postBinding(t, h, bindingReview(t, boundTo("stuck", "n"))) })
		synctest.Wait()
		mode = "Warn"
		start := time.Now()
		r := postBinding(t, h, bindingReview(t, boundTo("off", "n")))
		if !r.Allowed || r.AuditAnnotations["exempt"] != "off" || time.Since(start) != 0 {
			t.Errorf("allowed %v after %v, annotations %v", r.Allowed, time.Since(start), r.AuditAnnotations)
		}
		countedBinding(t, m, "off")
		close(stuck)
		running.Wait()
		mode = "Enforce"
		postBinding(t, h, bindingReview(t, boundTo("next", "n")))
		if !slices.Contains(before, "off") {
			t.Errorf("let through before: %v, want the pod that was not judged among them", before)
		}
	})
}

// Bindings to one node know of each other however many come at once; those to other nodes don't wait for them.
func TestBindingsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const many = 100
		var mu sync.Mutex
		known := map[int]bool{}
		h := NewBindings(HandlerOptions{}, Bindings{Steer: func(b fit.Binding) fit.Steering {
			if b.Node == "n" {
				time.Sleep(time.Millisecond)
			}
			mu.Lock()
			defer mu.Unlock()
			if b.Node == "n" {
				known[len(b.Before)] = true
			}
			return fit.Steering{Pod: b.UID, Mode: policy.Enforce, Verdict: verdict.Fits}
		}})
		start, slow := time.Now(), 0
		var running sync.WaitGroup
		for i := range many {
			uid := string(rune('a' + i))
			running.Go(func() { postBinding(t, h, bindingReview(t, boundTo(uid, "n"))) })
			running.Go(func() {
				postBinding(t, h, bindingReview(t, boundTo("other "+uid, "other "+uid)))
				if time.Since(start) > 0 {
					mu.Lock()
					slow++
					mu.Unlock()
				}
			})
		}
		running.Wait()
		if len(known) != many {
			t.Errorf("%d bindings knew of %d different numbers before them", many, len(known))
		}
		// One in 256 nodes shares a lane with n.
		if slow > many/5 {
			t.Errorf("%d of %d bindings to other nodes waited", slow, many)
		}
	})
}
