// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/headroom-dev/headroom/fit"
	"github.com/headroom-dev/headroom/policy"
	"github.com/headroom-dev/headroom/verdict"
)

// TestTheLookEndsInTime: each decision takes 10 ms of a clock that only moves with them.
func TestTheLookEndsInTime(t *testing.T) {
	const each = 10 * time.Millisecond
	workers := max(1, runtime.GOMAXPROCS(0)/2)
	for timeout, limit := range map[string]time.Duration{"2s": time.Second, "1s": 500 * time.Millisecond, "30s": time.Second, "60ms": 30 * time.Millisecond} {
		t.Run(timeout, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var workloads []Workload
				for i := range 10_000 {
					workloads = append(workloads, running("Deployment", "team-a", fmt.Sprint("web-", i), "small:1", 1+i%7))
				}
				decide := func(r fit.Request, p *policy.Policy) fit.Decision {
					time.Sleep(each)
					return byImage(r, p)
				}
				m := NewMetrics(nil)
				h := NewPolicy(HandlerOptions{Metrics: m}, clusterOf(policy.Default(), decide, workloads...))
				start := time.Now()
				r := postSetting(t, h, setting(t, nil, policyMap(policyHead+"mode: Enforce\n")), timeout)
				if took := time.Since(start); took != limit {
					t.Errorf("took %v, want %v", took, limit)
				}
				looked := workers * int(limit/each)
				want := fmt.Sprintf("image storage: looked at %d of 10000 workloads in the cluster as if created again on another node: "+
					"none of them would newly be refused or warned about; then time was up", looked)
				if len(r.Warnings) != 1 || r.Warnings[0] != want || r.AuditAnnotations["looked"] != fmt.Sprintf("%d/10000", looked) {
					t.Errorf("warnings %q, annotations %v, want %q", r.Warnings, r.AuditAnnotations, want)
				}
				if n := testutil.CollectAndCount(m.whatIf); n != 1 {
					t.Errorf("%d histograms of the time it took", n)
				}
			})
		})
	}
}

// TestLooksAndPodsDoNotWaitForEachOther: a second look waits for the first and says that it did not come to it, a pod does not
// wait at all, and a decision that never ends does not keep the answer.
func TestLooksAndPodsDoNotWaitForEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		hangs := func(r fit.Request, p *policy.Policy) fit.Decision {
			<-release
			return byImage(r, p)
		}
		limits := newLimits()
		var listed atomic.Int32
		cluster := clusterOf(policy.Default(), hangs, running("Deployment", "team-a", "web", "big:1", 1))
		workloads := cluster.Workloads
		cluster.Workloads = func(namespace string) []Workload {
			listed.Add(1)
			return workloads(namespace)
		}
		h := NewPolicy(HandlerOptions{Limits: limits}, cluster)
		pods := NewPods(HandlerOptions{Limits: limits, Evaluator: evaluatorFunc(func(r fit.Request) fit.Decision { return byImage(r, withMode(policy.Enforce)) })})
		body := setting(t, namespaceOf("team-a"), namespaceOf("team-a", policy.ModeLabel+"=Enforce"))
		var first, second *time.Duration
		var group sync.WaitGroup
		start := time.Now()
		group.Go(func() {
			r := postSetting(t, h, body, "2s")
			first = new(time.Since(start))
			if !r.Allowed || r.AuditAnnotations["undecided"] != string(TimedOut) {
				t.Errorf("response is %+v, want admitted for timeout", r)
			}
		})
		synctest.Wait()
		group.Go(func() {
			r := postSetting(t, h, body, "2s")
			second = new(time.Since(start))
			want := []string{"image storage: not looked at what this would change: another change is just being looked at"}
			if diff := cmp.Diff(want, r.Warnings); diff != "" || !r.Allowed || r.AuditAnnotations["looked"] != "0/?" {
				t.Errorf("response is %+v, want admitted and not looked at", r)
			}
			if n := listed.Load(); n != 1 {
				t.Errorf("the workloads were listed %d times, want by the first look alone", n)
			}
		})
		synctest.Wait()
		if used := len(limits.slots); used != 0 {
			t.Errorf("looks have %d of the pods' slots", used)
		}
		for range 100 {
			if r := post(t, pods, reviewOf(t, aPod())); !r.Allowed {
				t.Fatal("a pod is refused")
			}
		}
		if took := time.Since(start); took != 0 {
			t.Errorf("pods have waited %v for a look", took)
		}
		group.Wait()
		if *first != 1800*time.Millisecond || *second != time.Second {
			t.Errorf("answers after %v and %v, want nine tenths of the API server's time, and half of it", *first, *second)
		}
		close(release)
		synctest.Wait()
	})
}

func TestAPanicWhileLookingAdmits(t *testing.T) {
	m := NewMetrics(nil)
	decide := func(r fit.Request, p *policy.Policy) fit.Decision {
		if r.Images[0].Ref.Familiar() == "bad:1" {
			panic("no such node")
		}
		return byImage(r, p)
	}
	h := NewPolicy(HandlerOptions{Metrics: m}, clusterOf(policy.Default(), decide, running("Deployment", "team-a", "web", "bad:1", 1)))
	r := postSetting(t, h, setting(t, nil, policyMap(policyHead+"mode: Enforce\n")), "2s")
	want := []string{"image storage: looked at 0 of 1 workloads in the cluster as if created again on another node; then it broke down, Headroom's log says where"}
	if diff := cmp.Diff(want, r.Warnings); diff != "" || !r.Allowed || r.AuditAnnotations["looked"] != "0/1" {
		t.Errorf("response is %+v, want admitted and 0 of 1 looked at", r)
	}
	if n := testutil.ToFloat64(m.panics); n != 1 {
		t.Errorf("%v panics counted, want 1", n)
	}
}

// TestNothingIsClaimedBeforeTheFirstLists: a ledger that is not synced has no opinion.
func TestNothingIsClaimedBeforeTheFirstLists(t *testing.T) {
	decide := func(fit.Request, *policy.Policy) fit.Decision {
		return fit.Decision{Action: fit.Allow, Reason: fit.NotSynced}
	}
	h := NewPolicy(HandlerOptions{}, clusterOf(policy.Default(), decide, running("Deployment", "team-a", "web", "big:1", 1)))
	r := postSetting(t, h, setting(t, nil, policyMap(policyHead+"mode: Enforce\n")), "2s")
	want := []string{"image storage: looked at 0 of 1 workloads in the cluster as if created again on another node; the cluster's nodes and pods have not all been read yet"}
	if diff := cmp.Diff(want, r.Warnings); diff != "" || r.AuditAnnotations["looked"] != "0/1" {
		t.Errorf("annotations %v, warnings (-want +got):\n%s", r.AuditAnnotations, diff)
	}
}

// TestWhatRunsOnEveryNodeThatItCan: of a workload that could go nowhere else nobody knows what would become of it.
func TestWhatRunsOnEveryNodeThatItCan(t *testing.T) {
	decide := func(r fit.Request, p *policy.Policy) fit.Decision {
		if len(r.NotOn) == 2 {
			return fit.Decision{Action: fit.Allow, Verdict: verdict.Unknown, Reason: fit.NoCandidate, Mode: p.Mode}
		}
		return byImage(r, p)
	}
	h := NewPolicy(HandlerOptions{}, clusterOf(policy.Default(), decide,
		running("Deployment", "team-a", "everywhere", "big:1", 2, "n1", "n2"), running("Deployment", "team-a", "small", "small:1", 1, "n1")))
	r := postSetting(t, h, setting(t, nil, policyMap(policyHead+"mode: Enforce\n")), "2s")
	want := []string{"image storage: looked at 1 of 2 workloads in the cluster as if created again on another node: " +
		"none of them would newly be refused or warned about; for 1 there is no other node"}
	if diff := cmp.Diff(want, r.Warnings); diff != "" || r.AuditAnnotations["looked"] != "1/2" {
		t.Errorf("annotations %v, warnings (-want +got):\n%s", r.AuditAnnotations, diff)
	}
}
