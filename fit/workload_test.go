// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fit

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/headroom-dev/headroom/ledger"
	"github.com/headroom-dev/headroom/placement"
	"github.com/headroom-dev/headroom/policy"
	"github.com/headroom-dev/headroom/verdict"
)

func deployment(replicas int) *Workload { return &Workload{Kind: "Deployment", Replicas: replicas} }

func daemonSet() *Workload { return &Workload{Kind: "DaemonSet", EveryNode: true} }

// nodesOf are so many full nodes, and so many roomy ones.
func nodesOf(fullOnes, roomyOnes int) []node {
	var nodes []node
	for i := range fullOnes {
		nodes = append(nodes, full(fmt.Sprint("full-", i)))
	}
	for i := range roomyOnes {
		nodes = append(nodes, roomy(fmt.Sprint("roomy-", i)))
	}
	return nodes
}

// busy lets another pod take all CPU of a node.
func busy(names ...string) func(*ledger.Ledger) {
	return func(l *ledger.Ledger) {
		for _, name := range names {
			takes(name, 8000)(l)
		}
	}
}

// takes lets another pod take so many thousandths of a core of a node.
func takes(name string, milliCPU int64) func(*ledger.Ledger) {
	return func(l *ledger.Ledger) {
		hog := "hog of " + name
		l.SetPod(ledger.Pod{UID: types.UID(hog), Namespace: "x", Name: hog, NodeName: name, Requests: placement.Resources{MilliCPU: milliCPU}}, epoch)
	}
}

func wantsCPU(p *corev1.Pod) { wants("1")(p) }

// A template is never refused, whatever becomes of its pods.
func TestTemplatesAreNotRefused(t *testing.T) {
	run(t, map[string]situation{
		"where its pods would be":           {nodes: nodesOf(2, 0), workload: deployment(1), action: Warn, verdict: verdict.EvictsPods},
		"where they never fit":              {nodes: nodesOf(0, 2), registry: map[string]int64{"app": 900}, workload: deployment(3), action: Warn, verdict: verdict.NeverFits},
		"nor is a DaemonSet's":              {nodes: nodesOf(2, 0), workload: daemonSet(), action: Warn, verdict: verdict.EvictsPods},
		"in Warn":                           {nodes: nodesOf(2, 0), workload: deployment(1), policy: mode(policy.Warn), action: Warn, verdict: verdict.EvictsPods},
		"in Audit there is not even a word": {nodes: nodesOf(2, 0), workload: deployment(5), policy: mode(policy.Audit), action: Allow, verdict: verdict.EvictsPods},
		"nor for a DaemonSet":               {nodes: nodesOf(2, 0), workload: daemonSet(), policy: mode(policy.Audit), action: Allow, verdict: verdict.EvictsPods},
		"Off judges nothing":                {nodes: nodesOf(2, 0), workload: deployment(5), policy: mode(policy.Off), action: Allow, verdict: verdict.Unknown, reason: ModeOff},
		"an exempt namespace":               {nodes: nodesOf(2, 0), workload: daemonSet(), request: func(r *Request) { r.Namespace = "kube-system" }, action: Allow, verdict: verdict.Unknown, reason: ExemptPod},
	})
	unknown := (&situation{nodes: nodesOf(1, 0), registry: map[string]int64{"b": 1}, workload: deployment(1)}).evaluate(t)
	if unknown.Reason != UnknownSize || len(unknown.Unsized) != 1 || len(unknown.WaitFor) != 1 || len(unknown.WaitPlatforms) == 0 {
		t.Errorf("an image of unknown size is to be asked for, and worth a wait: %+v", unknown)
	}
}

// Every node gets one, so every node counts.
func TestDaemons(t *testing.T) {
	cordoned, pressed, busyOne := full("cordoned"), full("pressed"), full("busy")
	cordoned.cordoned = true
	pressed.taints = []corev1.Taint{{Key: corev1.TaintNodeDiskPressure, Effect: corev1.TaintEffectNoSchedule}}
	tainted, down := full("tainted"), full("down")
	tainted.taints = []corev1.Taint{{Key: "gpu", Effect: corev1.TaintEffectNoSchedule}}
	down.notReady = true
	worst := node{name: "worst", capacity: 1000, available: 100}
	unmeasured := node{name: "unmeasured", capacity: 1000, unmeasured: true}
	growing := func(p *policy.Policy) { p.NodePools[0].Elastic = policy.ElasticTrue }
	with := func(nodes ...node) []node { return append(nodesOf(0, 3), nodes...) }
	run(t, map[string]situation{
		"all are good":                          {nodes: with(), workload: daemonSet(), action: Allow, verdict: verdict.Fits},
		"one of four is full":                   {nodes: with(full("a")), workload: daemonSet(), action: Warn, verdict: verdict.EvictsPods},
		"the worst counts":                      {nodes: with(full("a"), worst), workload: daemonSet(), action: Warn, verdict: verdict.FillsDisk},
		"one is full, and cordoned":             {nodes: with(cordoned), workload: daemonSet(), action: Warn, verdict: verdict.EvictsPods},
		"one is full, and under disk pressure":  {nodes: with(pressed), workload: daemonSet(), action: Warn, verdict: verdict.EvictsPods},
		"one is full, and busy":                 {nodes: with(busyOne), ledger: busy("busy"), pod: wantsCPU, workload: daemonSet(), action: Warn, verdict: verdict.EvictsPods},
		"one is full, and never gets one":       {nodes: with(tainted), workload: daemonSet(), action: Allow, verdict: verdict.Fits},
		"one is full, and down":                 {nodes: with(down), workload: daemonSet(), action: Allow, verdict: verdict.Fits},
		"one is full, and not selected":         {nodes: with(full("a")), pod: selects(corev1.LabelHostname, "roomy-0"), workload: daemonSet(), action: Allow, verdict: verdict.Fits},
		"new nodes help no old one":             {nodes: with(full("a")), workload: daemonSet(), policy: growing, action: Warn, verdict: verdict.EvictsPods},
		"one of which nothing is known":         {nodes: with(unmeasured), workload: daemonSet(), action: Allow, verdict: verdict.Unknown, reason: NotMeasured},
		"one unknown, one full":                 {nodes: with(unmeasured, full("a")), workload: daemonSet(), action: Warn, verdict: verdict.EvictsPods},
		"images that would be trimmed":          {nodes: with(node{name: "a", capacity: 1000, available: 255}), workload: daemonSet(), action: Allow, verdict: verdict.TriggersGC},
		"a size that nobody knows":              {nodes: with(), registry: map[string]int64{"b": 1}, workload: daemonSet(), action: Allow, verdict: verdict.Unknown, reason: UnknownSize},
		"a bad image among good ones":           {nodes: with(), pod: func(p *corev1.Pod) { *p = *podOf("app", "NOT an image") }, workload: daemonSet(), action: Allow, verdict: verdict.Fits, reason: InvalidImages},
		"a bad image, and a node that is full":  {nodes: with(full("a")), pod: func(p *corev1.Pod) { *p = *podOf("app", "NOT an image") }, workload: daemonSet(), action: Warn, verdict: verdict.EvictsPods, reason: InvalidImages},
		"no node at all":                        {workload: daemonSet(), action: Allow, verdict: verdict.Unknown, reason: NoCandidate},
		"its pod is judged as a pod":            {nodes: with(full("a")), pod: tiedTo("a"), action: Deny, verdict: verdict.EvictsPods},
		"its pod on another node is no concern": {nodes: with(full("a")), pod: tiedTo("roomy-0"), action: Allow, verdict: verdict.Fits},
	})
}

// tiedTo makes the pod one that a DaemonSet has made for a node.
func tiedTo(name string) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Spec.Affinity = &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{
			RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{{
				MatchFields: []corev1.NodeSelectorRequirement{{Key: "metadata.name", Operator: corev1.NodeSelectorOpIn, Values: []string{name}}},
			}}},
		}}
	}
}

// Nodes that are left out are no candidates.
func TestNotOn(t *testing.T) {
	but := func(names ...string) func(*Request) {
		return func(r *Request) {
			r.NotOn = map[string]bool{}
			for _, name := range names {
				r.NotOn[name] = true
			}
		}
	}
	run(t, map[string]situation{
		"the good one":               {nodes: nodesOf(1, 1), request: but("roomy-0"), action: Deny, verdict: verdict.EvictsPods},
		"the full one":               {nodes: nodesOf(1, 1), request: but("full-0"), action: Allow, verdict: verdict.Fits},
		"all of them":                {nodes: nodesOf(1, 1), request: but("full-0", "roomy-0"), action: Allow, verdict: verdict.Unknown, reason: NoCandidate},
		"the one that it is tied to": {nodes: nodesOf(1, 1), pod: tiedTo("full-0"), request: but("full-0"), action: Allow, verdict: verdict.Unknown, reason: NoCandidate},
		"the one that it names":      {nodes: nodesOf(1, 1), pod: func(p *corev1.Pod) { p.Spec.NodeName = "full-0" }, request: but("full-0"), action: Allow, verdict: verdict.Unknown, reason: NoCandidate},
		"one that is not there":      {nodes: nodesOf(1, 0), request: but("gone"), action: Deny, verdict: verdict.EvictsPods},
		"one of those for a daemon":  {nodes: nodesOf(1, 1), workload: daemonSet(), request: but("full-0"), action: Allow, verdict: verdict.Fits},
	})
}

func TestNumbersOfTemplates(t *testing.T) {
	type numbers struct{ Possible, Likely, Overloaded, CanTake int }
	unmeasured := node{name: "unmeasured", capacity: 1000, unmeasured: true}
	for what, c := range map[string]struct {
		workload *Workload
		nodes    []node
		want     numbers
	}{
		"a pod":            {nil, nodesOf(1, 3), numbers{4, 4, 1, 3}},
		"a pod, refused":   {nil, nodesOf(2, 0), numbers{2, 2, 2, 0}},
		"replicas":         {deployment(9), append(nodesOf(2, 3), unmeasured), numbers{6, 6, 2, 3}},
		"a daemon":         {daemonSet(), append(nodesOf(2, 3), unmeasured), numbers{6, 6, 2, 3}},
		"no replicas":      {deployment(0), nodesOf(1, 1), numbers{}},
		"refused later on": {deployment(1), nodesOf(2, 0), numbers{2, 2, 2, 0}},
	} {
		d := (&situation{nodes: c.nodes, workload: c.workload}).evaluate(t)
		if diff := cmp.Diff(c.want, numbers{d.Possible, d.Likely, d.Overloaded, d.CanTake}); diff != "" {
			t.Errorf("%s: %s\n(-want +got)\n%s", what, d.Message, diff)
		}
	}
	if r := RequestOfTemplate(nil, *daemonSet()); r.Workload == nil || r.Placement != nil {
		t.Errorf("nothing in a template: %+v", r)
	}
}

func podIs(images ...string) func(*corev1.Pod) {
	return func(p *corev1.Pod) { *p = *podOf(images...) }
}

func notReady(nodes []node) []node {
	for i := range nodes {
		nodes[i].notReady = true
	}
	return nodes
}
