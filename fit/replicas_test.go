// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fit

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/headroom-dev/headroom/policy"
	"github.com/headroom-dev/headroom/verdict"
)

// apart keeps the pods of a template on nodes of their own.
func apart(p *corev1.Pod) {
	p.Labels = map[string]string{"app": "web"}
	p.Spec.Affinity = &corev1.Affinity{PodAntiAffinity: &corev1.PodAntiAffinity{
		RequiredDuringSchedulingIgnoredDuringExecution: []corev1.PodAffinityTerm{{
			TopologyKey: corev1.LabelHostname, LabelSelector: &metav1.LabelSelector{MatchLabels: p.Labels},
		}},
	}}
}

// spread lets at most two of them more be on one node than on another.
func spreadOut(p *corev1.Pod) {
	p.Labels = map[string]string{"app": "web"}
	p.Spec.TopologySpreadConstraints = []corev1.TopologySpreadConstraint{{
		MaxSkew: 2, TopologyKey: corev1.LabelHostname, WhenUnsatisfiable: corev1.DoNotSchedule, LabelSelector: &metav1.LabelSelector{MatchLabels: p.Labels},
	}}
}

func wants(cpu string, also ...func(*corev1.Pod)) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Spec.Containers[0].Resources.Requests = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(cpu)}
		for _, f := range also {
			f(p)
		}
	}
}

// One pod finds a place; the question is whether all do.
func TestReplicas(t *testing.T) {
	there := func(name string) node {
		n := roomy(name)
		n.images = map[string]int64{"app": 100}
		return n
	}
	cut := nodesOf(1, 1)
	cut = append(cut, node{name: "old", capacity: 1000, available: 200, age: 1e12})
	cordoned := nodesOf(1, 2)
	for i := range cordoned {
		cordoned[i].cordoned = true
	}
	growing := func(p *policy.Policy) { p.NodePools[0].Elastic = policy.ElasticTrue }
	run(t, map[string]situation{
		"one good node is enough for many":            {nodes: nodesOf(1, 1), workload: deployment(110), action: Allow, verdict: verdict.Fits},
		"but not for more pods than a node can have":  {nodes: nodesOf(1, 1), workload: deployment(111), action: Warn, verdict: verdict.EvictsPods},
		"many more than nodes, and all are good":      {nodes: nodesOf(0, 4), workload: deployment(500), action: Allow, verdict: verdict.Fits},
		"as many as the processors of the good nodes": {nodes: nodesOf(1, 2), pod: wants("3"), workload: deployment(4), action: Allow, verdict: verdict.Fits},
		"one more":                                                {nodes: nodesOf(1, 2), pod: wants("3"), workload: deployment(5), action: Warn, verdict: verdict.EvictsPods},
		"what others take of a node is left out":                  {nodes: nodesOf(1, 2), pod: wants("1"), ledger: takes("roomy-0", 6000), workload: deployment(16), action: Allow, verdict: verdict.Fits},
		"each for itself, one for each good node":                 {nodes: nodesOf(2, 3), pod: apart, workload: deployment(3), action: Allow, verdict: verdict.Fits},
		"each for itself, one more than good nodes":               {nodes: nodesOf(2, 3), pod: apart, workload: deployment(4), action: Warn, verdict: verdict.EvictsPods},
		"spread by two for each node":                             {nodes: nodesOf(2, 3), pod: spreadOut, workload: deployment(6), action: Allow, verdict: verdict.Fits},
		"spread, one more":                                        {nodes: nodesOf(2, 3), pod: spreadOut, workload: deployment(7), action: Warn, verdict: verdict.EvictsPods},
		"two, where most nodes are full":                          {nodes: nodesOf(3, 2), workload: deployment(2), action: Warn, verdict: verdict.EvictsPods},
		"none":                                                    {nodes: nodesOf(3, 0), workload: deployment(0), action: Allow, verdict: verdict.Fits, reason: NoReplicas},
		"fewer than none":                                         {nodes: nodesOf(3, 0), workload: deployment(-1), action: Allow, verdict: verdict.Fits, reason: NoReplicas},
		"a node of which nothing is known may be good":            {nodes: cut, pod: apart, workload: deployment(2), action: Allow, verdict: verdict.Fits},
		"and is no more than one":                                 {nodes: cut, pod: apart, workload: deployment(3), action: Warn, verdict: verdict.EvictsPods},
		"on one node by name they share it":                       {nodes: nodesOf(1, 1), workload: deployment(9), pod: func(p *corev1.Pod) { p.Spec.NodeName = "roomy-0" }, action: Allow, verdict: verdict.Fits},
		"a selector leaves few nodes":                             {nodes: nodesOf(1, 1), workload: deployment(9), pod: selects(corev1.LabelHostname, "roomy-0"), action: Allow, verdict: verdict.Fits},
		"no node could take one now":                              {nodes: cordoned, pod: apart, workload: deployment(3), action: Warn, verdict: verdict.EvictsPods},
		"enough nodes later":                                      {nodes: cordoned, pod: apart, workload: deployment(2), action: Allow, verdict: verdict.Fits},
		"a busy node helps none that is new":                      {nodes: append(nodesOf(1, 2), roomy("busy")), ledger: busy("busy"), pod: wants("1", apart), workload: deployment(3), action: Warn, verdict: verdict.EvictsPods},
		"one that has the image may be what keeps it busy":        {nodes: append(nodesOf(1, 2), there("busy")), ledger: busy("busy"), pod: wants("1", apart), workload: deployment(3), action: Allow, verdict: verdict.Fits},
		"but not for more than one":                               {nodes: append(nodesOf(1, 2), there("busy")), ledger: busy("busy"), pod: wants("1", apart), workload: deployment(4), action: Warn, verdict: verdict.EvictsPods},
		"a busy node counts once where all are":                   {nodes: append(nodesOf(1, 0), there("busy")), ledger: busy("busy", "full-0"), pod: wants("1", apart), workload: deployment(2), action: Warn, verdict: verdict.EvictsPods},
		"a node that could never hold one may be made larger":     {nodes: nodesOf(1, 1), pod: wants("9"), workload: deployment(1), action: Allow, verdict: verdict.Fits},
		"a tie by an elastic pool":                                {nodes: nodesOf(1, 0), workload: deployment(2), policy: growing, action: Warn, verdict: verdict.EvictsPods, reason: ElasticPool},
		"what replicas would do is held against warnAt, not more": {nodes: nodesOf(1, 1), pod: apart, workload: deployment(2), policy: at(verdict.FillsDisk, verdict.FillsDisk), action: Allow, verdict: verdict.Fits},
	})
}

// Of the nodes in the sentence, those count that the rule counts: busy ones that have the images are among them.
func TestTheNodesOfTheSentenceAreThoseOfTheRule(t *testing.T) {
	busyOne := roomy("busy")
	busyOne.images = map[string]int64{"app": 100}
	s := situation{nodes: append(nodesOf(1, 2), busyOne), ledger: busy("busy"), pod: wants("1", apart), workload: deployment(4)}
	want := "image storage: needs 100 on a node; only 3 of 4 eligible nodes can take that, enough for 3 of 4 replicas: pods would be evicted on the others"
	if d := s.evaluate(t); d.Message != want {
		t.Errorf("said %q, want %q", d.Message, want)
	}
}
