// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fit

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/policy"
	"github.com/headroom-dev/headroom/verdict"
)

// excepting adds an exception for the namespace that the tests' pods are in, or what change makes of it.
func excepting(name string, change func(*policy.Exception)) func(*policy.Policy) {
	return func(p *policy.Policy) {
		e := policy.Exception{
			Name: name, Namespaces: []string{podOf().Namespace}, Reason: "a test", Until: epoch.Add(time.Hour), UntilText: "2026-01-02",
		}
		if change != nil {
			change(&e)
		}
		p.Exceptions = append(p.Exceptions, e)
	}
}

func allowance(bytes int64) func(*policy.Exception) {
	return func(e *policy.Exception) { e.AllowanceBytes = bytes }
}

func forImages(patterns ...string) func(*policy.Exception) {
	return func(e *policy.Exception) {
		for _, p := range patterns {
			e.Images = append(e.Images, policy.ImagePattern{Text: p})
		}
	}
}

func all[T any](changes ...func(*T)) func(*T) {
	return func(of *T) {
		for _, change := range changes {
			change(of)
		}
	}
}

func TestExceptions(t *testing.T) {
	two := func(p *corev1.Pod) { *p = *podOf("app", "b") }
	sizes := map[string]int64{"app": 100, "b": 40}
	has := func(n node, image string) node {
		n.images = map[string]int64{image: 40}
		return n
	}
	unsized := map[string]int64{"b": 40}
	for what, c := range map[string]struct {
		situation
		exception, exceeded string
	}{
		"no refusal": {
			situation{nodes: available(100), policy: excepting("x", nil), action: Allow, verdict: verdict.FillsDisk, reason: Excepted}, "x", "",
		},
		"no warning": {
			situation{nodes: available(100), policy: all(mode(policy.Warn), excepting("x", nil)), action: Allow, verdict: verdict.FillsDisk, reason: Excepted}, "x", "",
		},
		"in mode Audit it is said": {
			situation{nodes: available(100), policy: all(mode(policy.Audit), excepting("x", nil)), action: Allow, verdict: verdict.FillsDisk, reason: Excepted}, "x", "",
		},
		"not said of a pod that fits": {
			situation{nodes: available(900), policy: excepting("x", nil), action: Allow, verdict: verdict.Fits}, "", "",
		},
		"not at its end": {
			situation{nodes: available(100), policy: excepting("x", func(e *policy.Exception) { e.Until = epoch }), action: Deny, verdict: verdict.FillsDisk}, "", "",
		},
		"a moment before its end": {
			situation{nodes: available(100), policy: excepting("x", func(e *policy.Exception) { e.Until = epoch.Add(1) }), action: Allow, verdict: verdict.FillsDisk, reason: Excepted}, "x", "",
		},
		"another namespace": {
			situation{nodes: available(100), policy: excepting("x", func(e *policy.Exception) { e.Namespaces = []string{"other"} }), action: Deny, verdict: verdict.FillsDisk}, "", "",
		},
		"the pod's labels": {
			situation{
				nodes: available(100), pod: func(p *corev1.Pod) { p.Labels = map[string]string{"app": "llm"} },
				policy: excepting("x", func(e *policy.Exception) {
					e.Labels = metav1.LabelSelector{MatchLabels: map[string]string{"app": "llm"}}
				}),
				action: Allow, verdict: verdict.FillsDisk, reason: Excepted,
			}, "x", "",
		},
		"other labels": {
			situation{
				nodes: available(100), pod: func(p *corev1.Pod) { p.Labels = map[string]string{"app": "web"} },
				policy: excepting("x", func(e *policy.Exception) {
					e.Labels = metav1.LabelSelector{MatchLabels: map[string]string{"app": "llm"}}
				}),
				action: Deny, verdict: verdict.FillsDisk,
			}, "", "",
		},
		"its image": {
			situation{nodes: available(100), policy: excepting("x", forImages("docker.io/library/app")), action: Allow, verdict: verdict.FillsDisk, reason: Excepted}, "x", "",
		},
		"one of its images": {
			situation{nodes: available(100), pod: two, registry: sizes, policy: excepting("x", forImages("docker.io/library/app")), action: Deny, verdict: verdict.FillsDisk}, "", "",
		},
		"all its images": {
			situation{
				nodes: available(100), pod: two, registry: sizes, policy: excepting("x", forImages("docker.io/library/app", "*/b:*")),
				action: Allow, verdict: verdict.FillsDisk, reason: Excepted,
			}, "x", "",
		},
		"the other image is on every node": {
			situation{
				nodes: []node{has(full("a"), "b"), has(full("b"), "b")}, pod: two, registry: sizes, policy: excepting("x", forImages("docker.io/library/app")),
				action: Allow, verdict: verdict.EvictsPods, reason: Excepted,
			}, "x", "",
		},
		"the other image is on one node of two": {
			situation{
				nodes: []node{has(full("a"), "b"), full("b")}, pod: two, registry: sizes, policy: excepting("x", forImages("docker.io/library/app")),
				action: Deny, verdict: verdict.EvictsPods,
			}, "", "",
		},
		"within its allowance": {
			situation{nodes: available(100), policy: excepting("x", allowance(100)), action: Allow, verdict: verdict.FillsDisk, reason: Excepted}, "x", "",
		},
		"beyond its allowance": {
			situation{nodes: available(100), policy: excepting("x", allowance(99)), action: Deny, verdict: verdict.FillsDisk}, "", "x",
		},
		"beyond its allowance, warned": {
			situation{nodes: available(100), policy: all(mode(policy.Warn), excepting("x", allowance(99))), action: Warn, verdict: verdict.FillsDisk}, "", "x",
		},
		"the allowance counts where the pod needs most": {
			situation{
				nodes: []node{has(full("a"), "b"), full("b")}, pod: two, registry: sizes, policy: excepting("x", allowance(139)),
				action: Deny, verdict: verdict.EvictsPods,
			}, "", "x",
		},
		"the next one covers it": {
			situation{
				nodes: available(100), policy: all(excepting("small", allowance(99)), excepting("large", allowance(200)), excepting("all", nil)),
				action: Allow, verdict: verdict.FillsDisk, reason: Excepted,
			}, "large", "",
		},
		"two allowances are exceeded": {
			situation{nodes: available(100), policy: all(excepting("first", allowance(99)), excepting("second", allowance(98))), action: Deny, verdict: verdict.FillsDisk}, "", "first",
		},
		"what nobody knows exceeds nothing": {
			situation{
				nodes: available(30), pod: two, registry: unsized, policy: excepting("x", allowance(40)),
				action: Allow, verdict: verdict.FillsDisk, reason: Excepted,
			}, "x", "",
		},
		"an elastic pool says nothing of it": {
			situation{
				nodes: []node{labelled(full("a"), "agentpool", "x")}, policy: excepting("x", nil),
				action: Allow, verdict: verdict.EvictsPods, reason: Excepted,
			}, "x", "",
		},
		"a template": {
			situation{
				nodes: available(100), request: func(r *Request) { r.Workload = &Workload{Kind: "Deployment", Replicas: 1} },
				policy: excepting("x", nil), action: Allow, verdict: verdict.FillsDisk, reason: Excepted,
			}, "x", "",
		},
	} {
		t.Run(what, func(t *testing.T) {
			run(t, map[string]situation{"": c.situation})
			d := c.evaluate(t)
			if diff := cmp.Diff([]string{c.exception, c.exceeded}, []string{d.Exception, d.Exceeded}); diff != "" {
				t.Errorf("exception, exceeded (-want +got)\n%s", diff)
			}
			if strings.Contains(d.Message, "exception") != (c.exception != "") {
				t.Error(d.Message)
			}
		})
	}
}

// The size of an image is not worth a wait where an exception without an allowance makes it moot.
func TestWaitsWithExceptions(t *testing.T) {
	none := map[string]int64{"b": 1}
	for what, c := range map[string]struct {
		policy func(*policy.Policy)
		waits  bool
	}{
		"without one":              {excepting("x", func(e *policy.Exception) { e.Namespaces = []string{"other"} }), true},
		"with one":                 {excepting("x", nil), false},
		"with one that has ended":  {excepting("x", func(e *policy.Exception) { e.Until = epoch }), true},
		"with an allowance, as it": {excepting("x", allowance(10)), true},
	} {
		t.Run(what, func(t *testing.T) {
			d := (&situation{nodes: available(900), registry: none, policy: c.policy}).evaluate(t)
			if got := len(d.WaitFor) > 0; got != c.waits || got != (len(d.WaitPlatforms) > 0) || d.Exception != "" {
				t.Errorf("waits for %v on %v, exception %q", d.WaitFor, d.WaitPlatforms, d.Exception)
			}
		})
	}
}

func TestSentenceOfAnException(t *testing.T) {
	d := (&situation{nodes: []node{{name: "a", capacity: 100 * gi, available: 5 * gi}}, registry: map[string]int64{"app": 10 * gi}, policy: excepting("llm-move", nil)}).evaluate(t)
	want := "image storage: allowed by exception llm-move until 2026-01-02: needs 10Gi; the only eligible node has room for 5Gi even without unused images"
	if d.Message != want {
		t.Errorf("got  %s\nwant %s", d.Message, want)
	}
}

// An exception only ever makes an answer milder, and changes nothing of one that it isn't for.
func TestExceptionsOnlyLetThrough(t *testing.T) {
	excepted, exceeded := 0, 0
	for seed := range uint64(worlds / 2) {
		c := chanceOf(seed)
		l, p := c.ledger(c.nodes()), c.policy()
		r, _ := c.request()
		r.Labels = map[string]string{"app": pick(c, "a", "b")}
		before := Evaluate(l.Snapshot(), r, p, epoch)
		for range 1 + c.IntN(3) {
			excepting(pick(c, "one", "two"), func(e *policy.Exception) {
				e.Namespaces = [][]string{nil, {r.Namespace}, {"other"}}[c.IntN(3)]
				e.Labels.MatchLabels = map[string]string{"app": pick(c, "a", "b")}
				if c.oneIn(3) {
					forImages("*i0*", "*i1*", "*i2*", "*i5*")(e)
				}
				e.AllowanceBytes = pick(c, 0, c.Int64N(600))
				// A date is no figure about the cluster.
				e.Until, e.UntilText = epoch.Add(pick(c, time.Hour, -time.Hour)), "then"
			})(p)
		}
		after := Evaluate(l.Snapshot(), r, p, epoch)
		checkMessage(t, &after, p, &r)
		switch {
		case after.Exception != "":
			excepted++
			if after.Action != Allow || after.Reason != Excepted || after.Exceeded != "" || before.Verdict != after.Verdict {
				t.Fatalf("seed %d: %+v", seed, after)
			}
		default:
			if after.Exceeded != "" {
				exceeded++
			}
			after.Exceeded, after.WaitFor, after.WaitPlatforms = "", before.WaitFor, before.WaitPlatforms
			if diff := cmp.Diff(before, after, cmp.Comparer(func(a, b imageref.Ref) bool { return a == b })); diff != "" {
				t.Fatalf("seed %d: (-without +with exceptions that are not for it)\n%s", seed, diff)
			}
		}
	}
	if excepted < worlds/60 || exceeded < worlds/120 {
		t.Errorf("only %d excepted, %d exceeded", excepted, exceeded)
	}
}
