// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fit

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/headroom-dev/headroom/estimate"
	"github.com/headroom-dev/headroom/ledger"
	"github.com/headroom-dev/headroom/policy"
	"github.com/headroom-dev/headroom/verdict"
)

const gpus = corev1.ResourceName("nvidia.com/gpu")

func requests(name corev1.ResourceName, amount string) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Spec.Containers[0].Resources.Requests = corev1.ResourceList{name: resource.MustParse(amount)}
	}
}

// also selects one label more.
func also(key, value string) func(*corev1.Pod) {
	return func(p *corev1.Pod) { p.Spec.NodeSelector[key] = value }
}

// poolsOf are pools by the label "pool", and by their elastic.
func poolsOf(pools ...policy.NodePool) func(*policy.Policy) {
	return func(p *policy.Policy) {
		for i := range pools {
			pools[i].DiskFactor = &estimate.Factor{Low: 1, Likely: 1, High: 1}
			if pools[i].Selector.MatchLabels == nil && pools[i].Name != "all" {
				pools[i].Selector.MatchLabels = map[string]string{"pool": pools[i].Name}
			}
		}
		p.NodePools = pools
	}
}

// A scale-up from zero is not lost: where no node has what the pod requests, the one that an autoscaler adds is of a kind
// that nobody has seen.
func TestNodesOfAKindThatIsNeeded(t *testing.T) {
	const never = 851 // more than an empty node of these holds
	huge := map[string]int64{"app": never}
	karpenter := labelled(full("a"), "karpenter.sh/nodepool", "x")
	fixed, open, auto := policy.ElasticFalse, policy.ElasticTrue, policy.ElasticAuto
	withGPU, tainted := labelled(full("g"), "pool", "racks"), labelled(full("t"), "karpenter.sh/nodepool", "x")
	withGPU.extended = map[corev1.ResourceName]int64{gpus: 8}
	tainted.taints = []corev1.Taint{{Key: "own", Effect: corev1.TaintEffectNoSchedule}}
	web := labelled(full("w"), "pool", "web")
	admitted := func(s situation) situation {
		s.action, s.verdict, s.reason, s.registry = Warn, verdict.NeverFits, ElasticPool, huge
		return s
	}
	refused := func(s situation) situation {
		s.action, s.verdict, s.registry = Deny, verdict.NeverFits, huge
		return s
	}
	gpu := requests(gpus, "1")
	autoscaled := func(l *ledger.Ledger) { l.SetAutoscaler(ledger.Autoscaler{Present: true}) }
	run(t, map[string]situation{
		"the first pod with a GPU, and a label":          admitted(situation{nodes: []node{karpenter}, pod: gpu}),
		"a status":                                       admitted(situation{nodes: []node{full("a")}, pod: gpu, ledger: autoscaled}),
		"a pool that is declared elastic":                admitted(situation{nodes: []node{web}, pod: gpu, policy: poolsOf(policy.NodePool{Name: "web", Elastic: open})}),
		"another pool that is":                           admitted(situation{nodes: []node{full("a")}, pod: gpu, policy: poolsOf(policy.NodePool{Name: "web", Elastic: open}, policy.NodePool{Name: "all", Elastic: auto})}),
		"more CPU than any node has":                     admitted(situation{nodes: []node{karpenter}, pod: requests(corev1.ResourceCPU, "8001m")}),
		"more memory":                                    admitted(situation{nodes: []node{karpenter}, pod: requests(corev1.ResourceMemory, "65Gi")}),
		"as much CPU as a node has":                      refused(situation{nodes: []node{karpenter}, pod: requests(corev1.ResourceCPU, "8")}),
		"no request":                                     refused(situation{nodes: []node{karpenter}}),
		"nothing points to an autoscaler":                refused(situation{nodes: []node{full("a")}, pod: gpu}),
		"a node has the GPUs":                            refused(situation{nodes: []node{karpenter, withGPU}, pod: gpu}),
		"a node has them for others":                     admitted(situation{nodes: []node{karpenter, withGPU}, pod: all(gpu, selects("karpenter.sh/nodepool", "x"))}),
		"nodes of fixed number have them, others may":    admitted(situation{nodes: []node{karpenter, withGPU}, pod: gpu, policy: poolsOf(policy.NodePool{Name: "racks", Elastic: fixed}, policy.NodePool{Name: "all", Elastic: auto})}),
		"what grows is for others":                       refused(situation{nodes: []node{tainted, withGPU}, pod: gpu, policy: poolsOf(policy.NodePool{Name: "racks", Elastic: fixed}, policy.NodePool{Name: "all", Elastic: auto})}),
		"what grows is for others, and none has GPUs":    admitted(situation{nodes: []node{tainted, labelled(full("r"), "pool", "racks")}, pod: gpu, policy: poolsOf(policy.NodePool{Name: "racks", Elastic: fixed}, policy.NodePool{Name: "all", Elastic: auto})}),
		"the policy says that all nodes are fixed":       refused(situation{nodes: []node{karpenter}, pod: gpu, policy: poolsOf(policy.NodePool{Name: "all", Elastic: fixed})}),
		"the pod is tied to its node":                    refused(situation{nodes: []node{karpenter}, pod: all(gpu, selects(corev1.LabelHostname, "a"))}),
		"the pod names its node":                         refused(situation{nodes: []node{karpenter}, pod: all(gpu, func(p *corev1.Pod) { p.Spec.NodeName = "a" })}),
		"a template of such pods":                        admitted(situation{nodes: []node{karpenter}, pod: gpu, workload: deployment(1)}),
		"a kind that no node has, and not even by label": {nodes: []node{karpenter}, pod: selects("gpu", "yes"), registry: huge, action: Allow, verdict: verdict.Unknown, reason: NoCandidate},
	})
}

// A pool that the policy calls elastic, and that has no node now, has a disk that nobody knows.
func TestPoolsThatAreDeclaredAndHaveNoNodes(t *testing.T) {
	racks, burst := labelled(full("r"), "pool", "racks"), labelled(full("b"), "pool", "burst")
	fixed, grows := policy.NodePool{Name: "racks", Elastic: policy.ElasticFalse}, policy.NodePool{Name: "burst", Elastic: policy.ElasticTrue}
	rest := policy.NodePool{Name: "all", Elastic: policy.ElasticFalse}
	const never = 851 // more than an empty node of these holds
	for what, c := range map[string]struct {
		nodes   []node
		pools   []policy.NodePool
		pod     func(*corev1.Pod)
		refused bool
	}{
		"the pod could go there":                      {[]node{racks}, []policy.NodePool{fixed, grows}, nil, false},
		"behind nodes of no pool":                     {[]node{full("a")}, []policy.NodePool{grows}, nil, false},
		"before a pool for all others":                {[]node{racks}, []policy.NodePool{grows, rest}, nil, false},
		"behind a pool for all":                       {[]node{racks}, []policy.NodePool{rest, grows}, nil, true},
		"the pod selects another pool":                {[]node{racks}, []policy.NodePool{fixed, grows}, selects("pool", "racks"), true},
		"the pod is tied to its node":                 {[]node{racks}, []policy.NodePool{fixed, grows}, selects(corev1.LabelHostname, "r"), true},
		"it has a node, and its disk is too small":    {[]node{racks, burst}, []policy.NodePool{fixed, grows}, nil, true},
		"it may grow, and nothing says that it would": {[]node{racks}, []policy.NodePool{fixed, {Name: "burst", Elastic: policy.ElasticAuto}}, nil, true},
	} {
		t.Run(what, func(t *testing.T) {
			s := situation{nodes: c.nodes, policy: poolsOf(c.pools...), pod: c.pod, registry: map[string]int64{"app": never}}
			if d := s.evaluate(t); (d.Action == Deny) != c.refused {
				t.Errorf("%s, %q: %s", d.Action, d.Reason, d.Message)
			}
		})
	}
}

// Nodes that the pod's own selector keeps in a pool of fixed number don't come, whatever an autoscaler has elsewhere.
func TestNewNodesOfFixedPools(t *testing.T) {
	racks, fixed := labelled(full("r"), "pool", "racks"), policy.ElasticFalse
	racks.labels["size"] = "big"
	atZero := func(l *ledger.Ledger) {
		l.SetAutoscaler(ledger.Autoscaler{Present: true, Groups: []ledger.NodeGroup{{Name: "asg", MaxNodes: 3}}})
	}
	pool := func(name string, e policy.Elastic, labels ...string) policy.NodePool {
		n := policy.NodePool{Name: name, Elastic: e}
		for i := 0; i < len(labels); i += 2 {
			if n.Selector.MatchLabels == nil {
				n.Selector.MatchLabels = map[string]string{}
			}
			n.Selector.MatchLabels[labels[i]] = labels[i+1]
		}
		return n
	}
	expressions := pool("racks", fixed)
	expressions.Selector.MatchExpressions = []metav1.LabelSelectorRequirement{{Key: "pool", Operator: metav1.LabelSelectorOpExists}}
	inRacks, auto := selects("pool", "racks"), policy.ElasticAuto
	for what, c := range map[string]struct {
		pools   []policy.NodePool
		pod     func(*corev1.Pod)
		refused bool
	}{
		"the pod selects the pool":                          {[]policy.NodePool{pool("racks", fixed)}, inRacks, true},
		"it selects more than that":                         {[]policy.NodePool{pool("racks", fixed)}, all(inRacks, also("size", "big")), true},
		"it selects nothing":                                {[]policy.NodePool{pool("racks", fixed)}, nil, false},
		"it selects less than that":                         {[]policy.NodePool{pool("racks", fixed, "pool", "racks", "size", "big")}, inRacks, false},
		"a pool of another name comes first":                {[]policy.NodePool{pool("web", auto), pool("racks", fixed)}, inRacks, true},
		"a pool of fixed number comes first":                {[]policy.NodePool{pool("big", fixed, "size", "big"), pool("racks", fixed)}, inRacks, true},
		"one that grows comes first, and may be it":         {[]policy.NodePool{pool("small", auto, "size", "small"), pool("racks", fixed)}, inRacks, false},
		"one that grows comes first, and it can't be":       {[]policy.NodePool{pool("small", auto, "size", "small"), pool("racks", fixed)}, all(inRacks, also("size", "big")), true},
		"one that grows comes later":                        {[]policy.NodePool{pool("racks", fixed), pool("all", policy.ElasticTrue)}, inRacks, true},
		"one that may be it comes first, the rest is fixed": {[]policy.NodePool{pool("small", policy.ElasticTrue, "size", "small"), pool("all", fixed)}, inRacks, false},
		"all nodes are fixed":                               {[]policy.NodePool{pool("all", fixed)}, nil, true},
		"the pool has expressions, too: open":               {[]policy.NodePool{expressions}, inRacks, false},
	} {
		t.Run(what, func(t *testing.T) {
			s := situation{nodes: []node{racks}, policy: poolsOf(c.pools...), pod: c.pod, ledger: atZero}
			if d := s.evaluate(t); (d.Action == Deny) != c.refused {
				t.Errorf("%s, %q: %s", d.Action, d.Reason, d.Message)
			}
		})
	}
}
