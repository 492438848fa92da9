// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fit

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/types"

	"github.com/headroom-dev/headroom/estimate"
	"github.com/headroom-dev/headroom/ledger"
	"github.com/headroom-dev/headroom/placement"
	"github.com/headroom-dev/headroom/policy"
	"github.com/headroom-dev/headroom/verdict"
)

func selects(key, value string) func(*corev1.Pod) {
	return func(p *corev1.Pod) { p.Spec.NodeSelector = map[string]string{key: value} }
}

func pull(p corev1.PullPolicy) func(*corev1.Pod) {
	return func(pod *corev1.Pod) { pod.Spec.Containers[0].ImagePullPolicy = p }
}

func TestImagesThatAreThere(t *testing.T) {
	has := func(name string, available int64) node {
		return node{name: name, capacity: 1000, available: available, images: map[string]int64{"app": 100}}
	}
	// An image is there by its tag, its digest, or for a pod that runs.
	digest := "docker.io/library/app@sha256:" + strings.Repeat("a", 64)
	byDigest := node{name: "a", capacity: 1000, images: map[string]int64{digest: 100}}
	run(t, map[string]situation{
		"on a node past every line it costs nothing":    {nodes: []node{has("a", 0)}, action: Allow, verdict: verdict.Fits},
		"pulled again, as a tag may have moved":         {nodes: []node{has("a", 0)}, pod: pull(corev1.PullAlways), action: Allow, verdict: verdict.Fits},
		"by digest, even if pulled again":               {nodes: []node{byDigest}, pod: func(p *corev1.Pod) { *p = *podOf(digest); pull(corev1.PullAlways)(p) }, action: Allow, verdict: verdict.Fits},
		"on one full node of two":                       {nodes: []node{has("a", 0), full("b")}, action: Allow, verdict: verdict.Fits},
		"on one full node of three, and most would not": {nodes: []node{has("a", 0), full("b"), full("c")}, action: Warn, verdict: verdict.EvictsPods},
		"of one node but not of the one that is selected": {
			nodes: []node{has("a", 0), full("b")}, pod: selects(corev1.LabelHostname, "b"), action: Deny, verdict: verdict.EvictsPods,
		},
		"being pulled for another pod": {
			nodes: available(200), ledger: func(l *ledger.Ledger) { bind(l, "first", "a", epoch, ref(t, "app")) },
			action: Allow, verdict: verdict.Fits,
		},
		"being pulled for another pod, and pulled again": {
			nodes: available(200), pod: pull(corev1.PullAlways), ledger: func(l *ledger.Ledger) { bind(l, "first", "a", epoch, ref(t, "app")) },
			action: Allow, verdict: verdict.Fits,
		},
		"perhaps: the list is cut": {
			nodes: available(200), ledger: func(l *ledger.Ledger) {
				cut := lines()
				cut.MaxImagesListed = 0
				l.SetLines("a", "a", cut)
			},
			action: Warn, verdict: verdict.EvictsPods,
		},
		"perhaps, on a node that is past every line": {
			nodes: available(0), ledger: func(l *ledger.Ledger) {
				row := node{name: "a", capacity: 1000}.row()
				row.Images = nil
				l.SetNode(row)
			},
			action: Warn, verdict: verdict.FillsDisk,
		},
	})
	again := (&situation{nodes: []node{has("a", 500)}, pod: pull(corev1.PullAlways)}).evaluate(t)
	if want := estimate.Between(0, 0, 100); again.Need != want {
		t.Errorf("an image that is pulled again needs %v, want %v", again.Need, want)
	}
}

// What the kubelet can free by itself does not refuse a pod.
func TestReclaimMakesItFit(t *testing.T) {
	unused := func(size int64) []node {
		return []node{{name: "a", capacity: 1000, available: 200, images: map[string]int64{"old": size}}}
	}
	run(t, map[string]situation{
		"with much to reclaim":                   {nodes: unused(300), action: Allow, verdict: verdict.PressuresDisk},
		"with just enough":                       {nodes: unused(50), action: Allow, verdict: verdict.PressuresDisk},
		"with one byte less":                     {nodes: unused(49), action: Deny, verdict: verdict.EvictsPods},
		"warned about where the policy wants it": {nodes: unused(50), policy: at(verdict.PressuresDisk, verdict.EvictsPods), action: Warn, verdict: verdict.PressuresDisk},
		"refused where the policy wants it":      {nodes: unused(50), policy: at(verdict.PressuresDisk, verdict.PressuresDisk), action: Deny, verdict: verdict.PressuresDisk},
		"nothing to reclaim where a pod uses the image": {
			nodes: unused(300), ledger: func(l *ledger.Ledger) {
				l.SetPod(ledger.Pod{UID: "user", Namespace: "x", Name: "user", NodeName: "a", Images: []ledger.PodImage{
					{Ref: ref(t, "old"), PullPolicy: corev1.PullIfNotPresent, Pulled: true, StartedAt: epoch.Add(-time.Hour)},
				}}, epoch)
			},
			action: Deny, verdict: verdict.EvictsPods,
		},
	})
}

// Two pods fit singly and not together. What the first one's pull has taken from the disk is not counted twice.
func TestPodsBackToBack(t *testing.T) {
	l := world(node{name: "a", capacity: 1000, available: 300})
	registry(t, l, map[string]int64{"first": 100, "second": 100, "small": 50})
	decide := func(image string, now time.Time) Decision {
		t.Helper()
		return Evaluate(l.Snapshot(), RequestOf(podOf(image)), enforcing(), now)
	}
	expect := func(what string, d Decision, action Action, v verdict.Verdict) {
		t.Helper()
		if d.Action != action || d.Verdict != v {
			t.Errorf("%s: %s, %s, want %s, %s: %s", what, d.Action, d.Verdict, action, v, d.Message)
		}
	}
	expect("the first alone", decide("first", epoch), Allow, verdict.Fits)
	expect("the second alone", decide("second", epoch), Allow, verdict.Fits)

	l.SetPod(ledger.Pod{
		UID: "1", Namespace: "team", Name: "first", Placement: placement.Of(nil),
		Images: []ledger.PodImage{{Ref: ref(t, "first"), PullPolicy: corev1.PullIfNotPresent}},
	}, epoch)
	if d := decide("second", epoch); d.Action == Allow {
		t.Errorf("the second while the first is not bound: %s: %s", d.Action, d.Message)
	}
	bind(l, "1", "a", epoch, ref(t, "first"))
	expect("the second while the first is pulled", decide("second", epoch), Deny, verdict.EvictsPods)
	expect("the same image again", decide("first", epoch), Allow, verdict.Fits)
	expect("a small one beside it", decide("small", epoch), Allow, verdict.TriggersGC)

	for i, free := range []int64{260, 230, 200} {
		now := epoch.Add(time.Duration(i+1) * 10 * time.Second)
		l.SetMeasurement("a", ledger.Measurement{NodeUID: "a", CapacityBytes: 1000, AvailableBytes: free, SampledAt: now, ReceivedAt: now})
		d := decide("small", now)
		if d.Action == Deny {
			t.Errorf("with %d bytes left of the pull, counted twice: %s", free-200, d.Message)
		}
		if got := d.Best.Account.Available.High; got != 200 {
			t.Errorf("with %d bytes left of the pull: at best %d available, want 200", free-200, got)
		}
		expect("the second while the pull goes on", decide("second", now), Deny, verdict.EvictsPods)
	}
}

// Two nodes, one full and one empty: what counts is where the pod could ever land.
func TestNodesThatCount(t *testing.T) {
	cordoned, notReady := roomy("b"), roomy("b")
	cordoned.cordoned, notReady.notReady = true, true
	condition, own := roomy("b"), roomy("b")
	condition.taints = []corev1.Taint{{Key: corev1.TaintNodeDiskPressure, Effect: corev1.TaintEffectNoSchedule}}
	own.taints = []corev1.Taint{{Key: "gpu", Effect: corev1.TaintEffectNoSchedule}}
	run(t, map[string]situation{
		"one is empty":                      {nodes: []node{full("a"), roomy("b")}, action: Allow, verdict: verdict.Fits},
		"the full one is selected":          {nodes: []node{full("a"), roomy("b")}, pod: selects(corev1.LabelHostname, "a"), action: Deny, verdict: verdict.EvictsPods},
		"the empty one is cordoned":         {nodes: []node{full("a"), cordoned}, action: Warn, verdict: verdict.EvictsPods},
		"the empty one is not ready":        {nodes: []node{full("a"), notReady}, action: Warn, verdict: verdict.EvictsPods},
		"the empty one has a passing taint": {nodes: []node{full("a"), condition}, action: Warn, verdict: verdict.EvictsPods},
		"the empty one has a lasting taint": {nodes: []node{full("a"), own}, action: Deny, verdict: verdict.EvictsPods},
		"a startup taint is a passing one":  {nodes: []node{full("a"), own}, policy: func(p *policy.Policy) { p.StartupTaints = []string{"gpu"} }, action: Warn, verdict: verdict.EvictsPods},
		"the full one is cordoned":          {nodes: []node{{name: "a", capacity: 1000, available: 200, cordoned: true}, roomy("b")}, action: Allow, verdict: verdict.Fits},
		"all are cordoned and full":         {nodes: []node{{name: "a", capacity: 1000, available: 200, cordoned: true}}, policy: mode(policy.Warn), action: Warn, verdict: verdict.EvictsPods},
		"all are cordoned and empty":        {nodes: []node{cordoned}, action: Allow, verdict: verdict.Fits},
		"half of them are full":             {nodes: []node{full("a"), full("b"), roomy("c"), roomy("d")}, action: Allow, verdict: verdict.Fits},
		"more than half of them are full":   {nodes: []node{full("a"), full("b"), full("c"), roomy("d"), roomy("e")}, action: Warn, verdict: verdict.EvictsPods},
		"the empty one has no CPU left": {nodes: []node{full("a"), roomy("b")}, ledger: func(l *ledger.Ledger) {
			l.SetPod(ledger.Pod{UID: "hog", Namespace: "x", Name: "hog", NodeName: "b", Requests: placement.Resources{MilliCPU: 8000}}, epoch)
		}, pod: func(p *corev1.Pod) {
			p.Spec.Containers[0].Resources.Requests = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1")}
		}, action: Warn, verdict: verdict.EvictsPods},
	})
}

func TestNumbersOfADecision(t *testing.T) {
	cordoned := roomy("d")
	cordoned.cordoned = true
	d := (&situation{nodes: []node{full("a"), {name: "b", capacity: 1000, available: 240}, roomy("c"), cordoned}}).evaluate(t)
	type numbers struct {
		Possible, Likely, Overloaded, Fits, Evicts int
		Best                                       string
		Need, Projected                            estimate.Bytes
		Tier                                       ledger.Tier
	}
	of := func(d Decision) numbers {
		return numbers{
			d.Possible, d.Likely, d.Overloaded, d.Counts.Of(verdict.Fits), d.Counts.Of(verdict.EvictsPods),
			d.Best.Node, d.Need, d.Best.Projected, d.Tier,
		}
	}
	want := numbers{4, 3, 2, 1, 2, "b", estimate.Exactly(100), estimate.Exactly(140), ledger.Measured}
	if diff := cmp.Diff(want, of(d)); diff != "" {
		t.Errorf("warned (-want +got)\n%s", diff)
	}
	d = (&situation{nodes: []node{full("a"), {name: "b", capacity: 1000, available: 240}}}).evaluate(t)
	want = numbers{2, 2, 2, 0, 2, "b", estimate.Exactly(100), estimate.Exactly(140), ledger.Measured}
	if diff := cmp.Diff(want, of(d)); diff != "" {
		t.Errorf("denied (-want +got)\n%s", diff)
	}
	if d.CauseCode != "ImageStorageEvictsPods" {
		t.Errorf("cause code %q", d.CauseCode)
	}
}

// A node as it is, with nothing to be judged.
func TestNow(t *testing.T) {
	l := world(full("a"), node{name: "b", capacity: 1000, available: 149}, node{name: "c", capacity: 1000, unmeasured: true})
	for name, want := range map[types.NodeName]verdict.Verdict{"a": verdict.Fits, "b": verdict.EvictsPods, "c": verdict.Unknown} {
		s := l.Snapshot()
		row, _ := s.Node(string(name))
		if got := Now(s, row, enforcing(), epoch); got.LikelyVerdict != want || got.Node != string(name) {
			t.Errorf("%s: %s, want %s", name, got.LikelyVerdict, want)
		}
	}
	if got := Now(nil, nil, nil, epoch); got.LikelyVerdict != verdict.Unknown {
		t.Errorf("nothing: %s", got.LikelyVerdict)
	}
}
