// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fit

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/headroom-dev/headroom/ledger"
	"github.com/headroom-dev/headroom/policy"
	"github.com/headroom-dev/headroom/verdict"
)

// situation is one row of the tables below: a pod with the image "app" of 100 bytes in a namespace of its own, unless the
// row says otherwise.
type situation struct {
	nodes    []node
	registry map[string]int64
	pod      func(*corev1.Pod)
	workload *Workload // what makes such pods
	request  func(*Request)
	policy   func(*policy.Policy)
	ledger   func(*ledger.Ledger)

	action  Action
	verdict verdict.Verdict
	reason  Reason
}

func (s *situation) evaluate(t *testing.T) Decision {
	t.Helper()
	l := world(s.nodes...)
	if s.registry == nil {
		s.registry = map[string]int64{"app": 100}
	}
	registry(t, l, s.registry)
	if s.ledger != nil {
		s.ledger(l)
	}
	pod := podOf("app")
	if s.pod != nil {
		s.pod(pod)
	}
	r := RequestOf(pod)
	if s.workload != nil {
		r = RequestOfTemplate(pod, *s.workload)
	}
	if s.request != nil {
		s.request(&r)
	}
	p := enforcing()
	if s.policy != nil {
		s.policy(p)
	}
	d, diff := disagreement(NewFleet(l.Snapshot(), p, epoch), l.Snapshot(), r, p, epoch)
	if diff != "" {
		t.Errorf("the fleet decides differently (-plain +fleet):\n%s", diff)
	}
	return d
}

func run(t *testing.T, situations map[string]situation) {
	t.Helper()
	for what, s := range situations {
		t.Run(what, func(t *testing.T) {
			d := s.evaluate(t)
			type answer struct {
				Action  Action
				Verdict verdict.Verdict
				Reason  Reason
			}
			if diff := cmp.Diff(answer{s.action, s.verdict, s.reason}, answer{d.Action, d.Verdict, d.Reason}); diff != "" {
				t.Errorf("%s\n(-want +got)\n%s", d.Message, diff)
			}
			if (d.Action == Deny) != (d.CauseCode != "") {
				t.Errorf("action %s with cause code %q", d.Action, d.CauseCode)
			}
			if d.Message == "" {
				t.Error("no message")
			}
		})
	}
}

func available(bytes int64) []node { return []node{{name: "a", capacity: 1000, available: bytes}} }

func at(warn, deny verdict.Verdict) func(*policy.Policy) {
	return func(p *policy.Policy) { p.WarnAt, p.DenyAt = warn, deny }
}

func mode(m policy.Mode) func(*policy.Policy) { return func(p *policy.Policy) { p.Mode = m } }

// On either side of each line, with nothing to reclaim on the node: the line of PressuresDisk has no width.
func TestVerdictsOfOneNode(t *testing.T) {
	run(t, map[string]situation{
		"at the GC line":                {nodes: available(260), action: Allow, verdict: verdict.Fits},
		"below the GC line":             {nodes: available(259), action: Allow, verdict: verdict.TriggersGC},
		"at the eviction line":          {nodes: available(250), action: Allow, verdict: verdict.TriggersGC},
		"below the eviction line":       {nodes: available(249), action: Deny, verdict: verdict.EvictsPods},
		"one byte is left":              {nodes: available(101), action: Deny, verdict: verdict.EvictsPods},
		"nothing is left":               {nodes: available(100), action: Deny, verdict: verdict.FillsDisk},
		"an empty disk holds it":        {nodes: available(1000), registry: map[string]int64{"app": 850}, action: Allow, verdict: verdict.TriggersGC},
		"an empty disk does not":        {nodes: available(1000), registry: map[string]int64{"app": 851}, action: Deny, verdict: verdict.NeverFits},
		"denyAt FillsDisk, above it":    {nodes: available(101), policy: at(verdict.EvictsPods, verdict.FillsDisk), action: Warn, verdict: verdict.EvictsPods},
		"denyAt FillsDisk, at it":       {nodes: available(100), policy: at(verdict.EvictsPods, verdict.FillsDisk), action: Deny, verdict: verdict.FillsDisk},
		"denyAt NeverFits":              {nodes: available(0), policy: at(verdict.EvictsPods, verdict.NeverFits), action: Warn, verdict: verdict.FillsDisk},
		"warnAt TriggersGC":             {nodes: available(259), policy: at(verdict.TriggersGC, verdict.EvictsPods), action: Warn, verdict: verdict.TriggersGC},
		"denyAt TriggersGC":             {nodes: available(259), policy: at(verdict.TriggersGC, verdict.TriggersGC), action: Deny, verdict: verdict.TriggersGC},
		"warnAt NeverFits":              {nodes: available(0), policy: at(verdict.NeverFits, verdict.NeverFits), action: Allow, verdict: verdict.FillsDisk},
		"the margin warns":              {nodes: available(300), policy: func(p *policy.Policy) { p.SafetyMargin.Percent = 5.1 }, action: Warn, verdict: verdict.EvictsPods},
		"the margin reaches the line":   {nodes: available(300), policy: func(p *policy.Policy) { p.SafetyMargin.Percent = 5 }, action: Allow, verdict: verdict.TriggersGC},
		"the margin never refuses":      {nodes: available(300), policy: func(p *policy.Policy) { p.SafetyMargin.Percent = 99 }, action: Warn, verdict: verdict.FillsDisk},
		"two images count together":     {nodes: available(300), registry: map[string]int64{"app": 100, "b": 51}, pod: func(p *corev1.Pod) { *p = *podOf("app", "b") }, action: Deny, verdict: verdict.EvictsPods},
		"one image twice counts once":   {nodes: available(300), pod: func(p *corev1.Pod) { *p = *podOf("app", "docker.io/library/app:latest") }, action: Allow, verdict: verdict.Fits},
		"a disk of which nothing shows": {nodes: []node{{name: "a", capacity: 1000, unmeasured: true}}, action: Allow, verdict: verdict.Unknown, reason: NotMeasured},
	})
}

func TestModes(t *testing.T) {
	label := func(value string) func(*Request) { return func(r *Request) { r.NamespaceMode = value } }
	run(t, map[string]situation{
		"Off judges nothing":             {nodes: available(0), policy: mode(policy.Off), action: Allow, verdict: verdict.Unknown, reason: ModeOff},
		"Off wins over the label":        {nodes: available(0), policy: mode(policy.Off), request: label("Enforce"), action: Allow, verdict: verdict.Unknown, reason: ModeOff},
		"Audit only says so":             {nodes: available(0), policy: mode(policy.Audit), action: Allow, verdict: verdict.FillsDisk},
		"Warn warns":                     {nodes: available(0), policy: mode(policy.Warn), action: Warn, verdict: verdict.FillsDisk},
		"Enforce denies":                 {nodes: available(0), action: Deny, verdict: verdict.FillsDisk},
		"a label tightens":               {nodes: available(0), policy: mode(policy.Audit), request: label("Enforce"), action: Deny, verdict: verdict.FillsDisk},
		"a label does not loosen":        {nodes: available(0), request: label("Audit"), action: Deny, verdict: verdict.FillsDisk},
		"a label that is none is passed": {nodes: available(0), request: label("Sometimes"), action: Deny, verdict: verdict.FillsDisk},
		"a label may loosen where told": {
			nodes: available(0), request: label("Off"), policy: func(p *policy.Policy) { p.NamespaceOverrides = policy.OverridesAny },
			action: Allow, verdict: verdict.Unknown, reason: ModeOff,
		},
		"Warn also with an exotic order of thresholds": {
			nodes: available(101), policy: func(p *policy.Policy) { p.Mode, p.WarnAt = policy.Warn, verdict.NeverFits },
			action: Warn, verdict: verdict.EvictsPods,
		},
	})
	d := (&situation{nodes: available(0), request: label("Sometimes")}).evaluate(t)
	if d.ModeIgnored == "" || d.Mode != policy.Enforce {
		t.Errorf("mode %s, ignored %q", d.Mode, d.ModeIgnored)
	}
}

func TestReasonsWithoutLookingAtNodes(t *testing.T) {
	run(t, map[string]situation{
		"an exempt namespace":      {nodes: available(0), request: func(r *Request) { r.Namespace = "kube-system" }, action: Allow, verdict: verdict.Unknown, reason: ExemptPod},
		"an exempt priority class": {nodes: available(0), pod: func(p *corev1.Pod) { p.Spec.PriorityClassName = "system-node-critical" }, action: Allow, verdict: verdict.Unknown, reason: ExemptPod},
		"no image":                 {nodes: available(0), pod: func(p *corev1.Pod) { *p = *podOf() }, action: Allow, verdict: verdict.Fits, reason: NoImages},
		"no image that parses":     {nodes: available(0), pod: func(p *corev1.Pod) { *p = *podOf("NOT an image") }, action: Allow, verdict: verdict.Unknown, reason: InvalidImages},
		"no node":                  {action: Allow, verdict: verdict.Unknown, reason: NoCandidate},
		"no node that matches": {
			nodes: available(0), pod: func(p *corev1.Pod) { p.Spec.NodeSelector = map[string]string{"no": "such"} },
			action: Allow, verdict: verdict.Unknown, reason: NoCandidate,
		},
		"a node that is not there": {nodes: available(0), pod: func(p *corev1.Pod) { p.Spec.NodeName = "b" }, action: Allow, verdict: verdict.Unknown, reason: UnknownNode},
		"the node that is named":   {nodes: []node{full("a"), roomy("b")}, pod: func(p *corev1.Pod) { p.Spec.NodeName = "a" }, action: Deny, verdict: verdict.EvictsPods},
		"a bad image among good ones": {
			nodes: available(900), pod: func(p *corev1.Pod) { *p = *podOf("app", "NOT an image") },
			action: Allow, verdict: verdict.Fits, reason: InvalidImages,
		},
		"a bad image does not hold a denial back": {
			nodes: available(0), pod: func(p *corev1.Pod) { *p = *podOf("app", "NOT an image") }, action: Deny, verdict: verdict.FillsDisk,
		},
	})
	for what, d := range map[string]Decision{
		"no snapshot":             Evaluate(nil, RequestOf(podOf("app")), enforcing(), epoch),
		"a ledger not yet synced": Evaluate(ledger.New().Snapshot(), RequestOf(podOf("app")), enforcing(), epoch),
		"an evaluator of nothing": Evaluator{}.Evaluate(RequestOf(podOf("app"))),
	} {
		if d.Action != Allow || d.Verdict != verdict.Unknown || d.Reason != NotSynced {
			t.Errorf("%s: %s, %s, %s", what, d.Action, d.Verdict, d.Reason)
		}
	}
	if d := Evaluate(world(available(0)...).Snapshot(), Request{}, nil, epoch); d.Mode != policy.Audit {
		t.Errorf("no policy: mode %s", d.Mode)
	}
}

// TestAFrozenEvaluator decides by what was known when it was frozen, whatever comes after.
func TestAFrozenEvaluator(t *testing.T) {
	l := world(available(0)...)
	registry(t, l, map[string]int64{"app": 100})
	now := l.Snapshot()
	e := Evaluator{Snapshot: func() *ledger.Snapshot { return now }, Policy: policy.Default, Clock: func() time.Time { return epoch }}
	decide := e.Freeze()
	now = world().Snapshot()
	if d := decide(RequestOf(podOf("app")), enforcing()); d.Action != Deny {
		t.Errorf("by another policy: %s, want Deny", d.Action)
	}
	if d := decide(RequestOf(podOf("app")), policy.Default()); d.Action != Warn {
		t.Errorf("by the default policy: %s, want Warn", d.Action)
	}
	if d := e.Evaluate(RequestOf(podOf("app"))); d.Reason != NoCandidate {
		t.Errorf("not frozen: %q, want no candidate", d.Reason)
	}
}

func TestReasonsOfNodes(t *testing.T) {
	old := full("old")
	old.age = 91 * time.Second
	fresh := full("fresh")
	fresh.age = 89 * time.Second
	unmeasured := full("unmeasured")
	unmeasured.unmeasured = true
	big := map[string]int64{"app": 900}
	run(t, map[string]situation{
		"one old sample admits":                    {nodes: []node{full("a"), old}, action: Allow, verdict: verdict.Unknown, reason: StaleSample},
		"a sample just young enough does not":      {nodes: []node{full("a"), fresh}, action: Deny, verdict: verdict.EvictsPods},
		"one node not measured admits":             {nodes: []node{full("a"), unmeasured}, action: Allow, verdict: verdict.Unknown, reason: NotMeasured},
		"an old sample even for what never fits":   {nodes: []node{old}, registry: big, action: Allow, verdict: verdict.Unknown, reason: StaleSample},
		"an assumed disk that could never hold it": {nodes: []node{unmeasured}, registry: big, action: Allow, verdict: verdict.Unknown, reason: NotMeasured},
		"most nodes are full, one is old":          {nodes: []node{full("a"), full("b"), old}, action: Warn, verdict: verdict.EvictsPods, reason: StaleSample},
		"a node that fits makes the old one moot":  {nodes: []node{roomy("a"), old}, action: Allow, verdict: verdict.Fits},
		"a size that nobody knows":                 {nodes: available(900), registry: map[string]int64{"b": 1}, action: Allow, verdict: verdict.Unknown, reason: UnknownSize},
		"sizes that are known are enough": {
			nodes: available(200), pod: func(p *corev1.Pod) { *p = *podOf("app", "b") }, action: Deny, verdict: verdict.EvictsPods,
		},
		"sizes that are known are not enough": {
			nodes: available(300), pod: func(p *corev1.Pod) { *p = *podOf("app", "b") }, action: Allow, verdict: verdict.Unknown, reason: UnknownSize,
		},
		"a size that is assumed warns and never refuses": {
			nodes: available(200), registry: map[string]int64{"b": 1},
			policy: func(p *policy.Policy) { p.UnknownImage = policy.UnknownImage{LikelyBytes: 100, HighBytes: 200} },
			action: Warn, verdict: verdict.EvictsPods, reason: UnknownSize,
		},
		"a size that is assumed may fit": {
			nodes: available(900), registry: map[string]int64{"b": 1},
			policy: func(p *policy.Policy) { p.UnknownImage = policy.UnknownImage{LikelyBytes: 100, HighBytes: 200} },
			action: Allow, verdict: verdict.Fits, reason: UnknownSize,
		},
		"the operator's table refuses": {
			nodes: available(200), registry: map[string]int64{"b": 1},
			policy: func(p *policy.Policy) { p.Images = []policy.ImageSize{{Match: "docker.io/library/*", SizeBytes: 100}} },
			action: Deny, verdict: verdict.EvictsPods,
		},
		"never pulled, never in the way": {
			nodes: available(0), pod: func(p *corev1.Pod) { p.Spec.Containers[0].ImagePullPolicy = corev1.PullNever },
			action: Allow, verdict: verdict.Fits,
		},
		"a declared disk is as good as a measured one": {
			nodes: []node{{name: "a", capacity: 1000, unmeasured: true}}, registry: map[string]int64{"app": 851},
			policy: func(p *policy.Policy) { p.NodePools[0].ImageFilesystemBytes = 1000 },
			action: Deny, verdict: verdict.NeverFits,
		},
	})
}

// A pod that is bound has no eligible nodes, but its own: kubectl debug, an image that is changed.
func TestABoundPodIsToldOfItsNode(t *testing.T) {
	bound := func(p *corev1.Pod) { p.Spec.NodeName = "a" }
	d := (&situation{nodes: []node{full("a"), roomy("b")}, pod: bound}).evaluate(t)
	if want := "image storage: needs 100; its node has room for 50 before pods are evicted"; d.Action != Deny || d.Message != want {
		t.Errorf("%s, %q, want a denial with %q", d.Action, d.Message, want)
	}
}
