// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fit

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/headroom-dev/headroom/estimate"
	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/ledger"
	"github.com/headroom-dev/headroom/policy"
	"github.com/headroom-dev/headroom/verdict"
)

func labelled(n node, key, value string) node {
	n.labels = map[string]string{key: value}
	return n
}

// An elastic pool refuses only what an empty node of it could not hold.
func TestElasticPools(t *testing.T) {
	managed := labelled(full("a"), "eks.amazonaws.com/nodegroup", "x")
	elastic := func(e policy.Elastic) func(*policy.Policy) {
		return func(p *policy.Policy) { p.NodePools[0].Elastic = e }
	}
	factor := &estimate.Factor{Low: 1, Likely: 1, High: 1}
	pools := func(rest policy.Elastic) func(*policy.Policy) {
		return func(p *policy.Policy) {
			p.NodePools = []policy.NodePool{
				{Name: "gpu", Selector: metav1.LabelSelector{MatchLabels: map[string]string{"pool": "gpu"}}, Elastic: policy.ElasticFalse, DiskFactor: factor},
				{Name: "rest", Elastic: rest, DiskFactor: factor},
			}
		}
	}
	affine := func(p *corev1.Pod) {
		p.Spec.Affinity = &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{
			RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{{
				MatchFields: []corev1.NodeSelectorRequirement{{Key: metav1.ObjectNameField, Operator: corev1.NodeSelectorOpIn, Values: []string{"a"}}},
			}}},
		}}
	}
	never := map[string]int64{"app": 851}
	large := node{name: "large", capacity: 2000, available: 300, labels: map[string]string{"pool": "large"}}
	gpu := labelled(full("g"), "pool", "gpu")
	run(t, map[string]situation{
		"nothing points to an autoscaler":            {nodes: []node{full("a")}, action: Deny, verdict: verdict.EvictsPods},
		"a label does":                               {nodes: []node{managed}, action: Warn, verdict: verdict.EvictsPods, reason: ElasticPool},
		"a label of any node does":                   {nodes: []node{full("b"), managed}, pod: selects("no", "such"), action: Allow, verdict: verdict.Unknown, reason: NoCandidate},
		"in mode Warn, too":                          {nodes: []node{managed}, policy: mode(policy.Warn), action: Warn, verdict: verdict.EvictsPods, reason: ElasticPool},
		"the policy says it is not elastic":          {nodes: []node{managed}, policy: elastic(policy.ElasticFalse), action: Deny, verdict: verdict.EvictsPods},
		"the policy says it is":                      {nodes: []node{full("a")}, policy: elastic(policy.ElasticTrue), action: Warn, verdict: verdict.EvictsPods, reason: ElasticPool},
		"an empty node could not hold it":            {nodes: []node{managed}, registry: never, action: Deny, verdict: verdict.NeverFits},
		"an empty node could just hold it":           {nodes: []node{managed}, registry: map[string]int64{"app": 850}, action: Warn, verdict: verdict.FillsDisk, reason: ElasticPool},
		"the pod names its node":                     {nodes: []node{managed}, pod: func(p *corev1.Pod) { p.Spec.NodeName = "a" }, action: Deny, verdict: verdict.EvictsPods},
		"the pod selects its node by host name":      {nodes: []node{managed}, pod: selects(corev1.LabelHostname, "a"), action: Deny, verdict: verdict.EvictsPods},
		"the pod is one of a DaemonSet":              {nodes: []node{managed}, pod: affine, action: Deny, verdict: verdict.EvictsPods},
		"the pod selects what a new node has":        {nodes: []node{managed}, pod: selects("eks.amazonaws.com/nodegroup", "x"), action: Warn, verdict: verdict.EvictsPods, reason: ElasticPool},
		"the largest disk is where the pod can't go": {nodes: []node{managed, large}, registry: never, pod: selects("eks.amazonaws.com/nodegroup", "x"), action: Warn, verdict: verdict.NeverFits, reason: ElasticPool},
		"nodes of no pool are elastic": {
			nodes:  []node{labelled(node{name: "a", capacity: 1000, available: 0}, "karpenter.sh/nodepool", "x")},
			policy: func(p *policy.Policy) { p.NodePools = nil }, action: Warn, verdict: verdict.FillsDisk, reason: ElasticPool,
		},
		"one of two pools is elastic":         {nodes: []node{gpu, full("b")}, policy: pools(policy.ElasticTrue), action: Warn, verdict: verdict.EvictsPods, reason: ElasticPool},
		"the pod goes to the other":           {nodes: []node{gpu, full("b")}, policy: pools(policy.ElasticTrue), pod: selects("pool", "gpu"), action: Deny, verdict: verdict.EvictsPods},
		"neither is elastic":                  {nodes: []node{gpu, full("b")}, policy: pools(policy.ElasticFalse), action: Deny, verdict: verdict.EvictsPods},
		"the elastic one could never hold it": {nodes: []node{gpu, full("b")}, policy: pools(policy.ElasticTrue), registry: never, action: Deny, verdict: verdict.NeverFits},
		"images that are there count on a new node": {
			nodes:    []node{{name: "a", capacity: 1000, available: 200, images: map[string]int64{"base": 800}, labels: managed.labels}},
			registry: map[string]int64{"app": 60}, pod: func(p *corev1.Pod) { *p = *podOf("app", "base") },
			ledger: func(l *ledger.Ledger) {
				l.SetPod(ledger.Pod{UID: "u", Namespace: "x", Name: "u", NodeName: "a", Images: []ledger.PodImage{{Ref: ref(t, "base"), Pulled: true}}}, epoch)
			},
			action: Deny, verdict: verdict.EvictsPods,
		},
	})
	autoscaled := func(groups ...ledger.NodeGroup) func(*ledger.Ledger) {
		return func(l *ledger.Ledger) { l.SetAutoscaler(ledger.Autoscaler{Present: true, Groups: groups}) }
	}
	seen := ledger.NodeGroup{Name: "seen", Nodes: 1, MaxNodes: 3}
	unseen := ledger.NodeGroup{Name: "unseen", MaxNodes: 3}
	fixed := func(selector metav1.LabelSelector) func(*policy.Policy) {
		return func(p *policy.Policy) {
			p.NodePools[0].Elastic, p.NodePools[0].Selector = policy.ElasticFalse, selector
		}
	}
	someFixed := fixed(metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelHostname: "a"}})
	run(t, map[string]situation{
		"an autoscaler tells of itself":                      {nodes: []node{full("a")}, ledger: autoscaled(), action: Warn, verdict: verdict.EvictsPods, reason: ElasticPool},
		"an autoscaler without a group that may grow":        {nodes: []node{full("a")}, ledger: autoscaled(ledger.NodeGroup{Name: "full", Nodes: 3, MaxNodes: 3}), action: Warn, verdict: verdict.EvictsPods, reason: ElasticPool},
		"an empty node that one adds could not hold it":      {nodes: []node{full("a")}, registry: never, ledger: autoscaled(seen), action: Deny, verdict: verdict.NeverFits},
		"a kind of nodes that nobody has seen may":           {nodes: []node{full("a")}, registry: never, ledger: autoscaled(seen, unseen), action: Warn, verdict: verdict.NeverFits, reason: ElasticPool},
		"a kind that may have no node may not":               {nodes: []node{full("a")}, registry: never, ledger: autoscaled(ledger.NodeGroup{Name: "off"}), action: Deny, verdict: verdict.NeverFits},
		"the pool of some nodes is fixed, a new kind is not": {nodes: []node{full("a")}, policy: someFixed, ledger: autoscaled(unseen), action: Warn, verdict: verdict.EvictsPods, reason: ElasticPool},
		"the pool of some nodes is fixed, no kind is new":    {nodes: []node{full("a")}, policy: someFixed, ledger: autoscaled(seen), action: Deny, verdict: verdict.EvictsPods},
		"the policy says that all nodes are fixed":           {nodes: []node{full("a")}, policy: fixed(metav1.LabelSelector{}), ledger: autoscaled(unseen), action: Deny, verdict: verdict.EvictsPods},
		"the pod is tied to its node": {
			nodes: []node{full("a")}, pod: selects(corev1.LabelHostname, "a"), ledger: autoscaled(unseen), action: Deny, verdict: verdict.EvictsPods,
		},
		"the pod is of a DaemonSet": {nodes: []node{full("a")}, pod: affine, ledger: autoscaled(unseen), action: Deny, verdict: verdict.EvictsPods},
	})
	for _, label := range AutoscalerLabels() {
		d := (&situation{nodes: []node{full("a"), labelled(node{name: "z", capacity: 1, available: 1}, label, "x")}}).evaluate(t)
		if d.Reason != ElasticPool {
			t.Errorf("label %s: %s, %q", label, d.Action, d.Reason)
		}
	}
}

// What an autoscaler may do is said after a warning, by the policy's name for the pool and no other.
func TestSentencesAboutNewNodes(t *testing.T) {
	const (
		most   = "image storage: needs 200 on a node; that is too much on 2 of 3 eligible nodes: the pull would fill the disk there"
		allOf  = "image storage: needs 200; the only eligible node has 200 even without unused images"
		silent = "image storage: the pod's images are too much for most or all eligible nodes: the pull would fill the disk there"
	)
	managed := []node{labelled(full("a"), "agentpool", "x"), full("b"), roomy("c")}
	named := func(p *policy.Policy) {
		p.NodePools = []policy.NodePool{
			{Name: "web", Selector: metav1.LabelSelector{MatchLabels: map[string]string{"pool": "web"}}},
			{Name: "gpu", Selector: metav1.LabelSelector{MatchLabels: map[string]string{"agentpool": "x"}}, DiskFactor: p.NodePools[0].DiskFactor},
			{Name: "rest", Elastic: policy.ElasticFalse, DiskFactor: p.NodePools[0].DiskFactor},
		}
	}
	unpooled := func(p *policy.Policy) { p.NodePools[0].Selector.MatchLabels = map[string]string{"pool": "other"} }
	quiet := func(p *policy.Policy) { p.Messages.Numbers = false }
	told := func(groups ...ledger.NodeGroup) func(*ledger.Ledger) {
		return func(l *ledger.Ledger) { l.SetAutoscaler(ledger.Autoscaler{Present: true, Groups: groups}) }
	}
	unmeasured := node{name: "u", capacity: 1000, unmeasured: true, labels: map[string]string{"agentpool": "x"}}
	doubtful := func(p *policy.Policy) { p.NodePools[0].DiskFactor = &estimate.Factor{Low: 1, Likely: 1.2, High: 1.4} }
	const notKnown = "; whether a new node could take it is not known"
	for what, c := range map[string]struct {
		situation situation
		want      string
	}{
		"nothing points to an autoscaler":             {situation{nodes: []node{full("a"), full("b"), roomy("c")}}, most},
		"the policy names the pool":                   {situation{nodes: managed}, most + "; a new node of pool all could take it"},
		"one of several pools":                        {situation{nodes: managed, policy: named}, most + "; a new node of pool gpu could take it"},
		"a pod that would be refused":                 {situation{nodes: managed[:1]}, allOf + "; a new node of pool all could take it"},
		"in no pool":                                  {situation{nodes: []node{full("a")}, policy: unpooled, ledger: told()}, "image storage: needs ~600; the only eligible node has 200 even without unused images; a new node could take it"},
		"of a kind that nobody has seen":              {situation{nodes: []node{full("a")}, policy: func(p *policy.Policy) { named(p); unpooled(p) }, ledger: told(ledger.NodeGroup{Name: "asg", MaxNodes: 1})}, allOf + notKnown},
		"of a pool whose disks nobody measured":       {situation{nodes: []node{unmeasured, full("b"), full("c")}, policy: named}, most + notKnown},
		"of a pool whose nodes lack what it requests": {situation{nodes: managed[:1], pod: requests(gpus, "1")}, strings.Replace(allOf, "node has", "node (unschedulable now) has", 1) + notKnown},
		"with what is needed at least, not likely":    {situation{nodes: managed[:1], policy: doubtful, registry: map[string]int64{"app": 800}}, "image storage: needs ~960; the only eligible node has 850 even on an empty disk" + notKnown},
		"with an image that nobody knows the size of": {situation{nodes: managed[:1], pod: func(p *corev1.Pod) { *p = *podOf("app", "b") }}, strings.Replace(allOf, "200;", "~200;", 1) + notKnown},
		"no group may get another node":               {situation{nodes: managed, ledger: told(ledger.NodeGroup{Name: "asg", Nodes: 3, MaxNodes: 3})}, most},
		"a new node could not hold it":                {situation{nodes: []node{labelled(full("a"), "agentpool", "x")}, registry: map[string]int64{"app": 870}, policy: mode(policy.Warn)}, "image storage: needs 870; the only eligible node has 850 even on an empty disk"},
		"without figures, whether it could":           {situation{nodes: managed, policy: quiet}, silent + "; an autoscaler may add nodes"},
		"without figures, nor whether it can't":       {situation{nodes: managed, registry: map[string]int64{"app": 851}, policy: all(mode(policy.Warn), quiet)}, "image storage: the pod's images are too much for most or all eligible nodes: the disk is too small there; an autoscaler may add nodes"},
	} {
		t.Run(what, func(t *testing.T) {
			if c.situation.registry == nil {
				c.situation.registry = map[string]int64{"app": 200}
			}
			d := c.situation.evaluate(t)
			if d.Action != Warn || d.Message != c.want {
				t.Errorf("%s\ngot  %s\nwant %s", d.Action, d.Message, c.want)
			}
		})
	}
}

func TestImagesWorthAWait(t *testing.T) {
	none := map[string]int64{"b": 1}
	always := func(p *corev1.Pod) { *p = *podOf("app", "b") }
	managed := labelled(roomy("a"), "cloud.google.com/gke-nodepool", "x")
	stale := roomy("a")
	stale.age = 1 << 50
	for what, c := range map[string]struct {
		situation situation
		want      []string
	}{
		"a size decides":                   {situation{nodes: available(900), registry: none}, []string{"app"}},
		"not in mode Warn":                 {situation{nodes: available(900), registry: none, policy: mode(policy.Warn)}, nil},
		"not where it is known":            {situation{nodes: available(900)}, nil},
		"not where it is refused anyway":   {situation{nodes: available(100), registry: map[string]int64{"b": 100}, pod: always}, nil},
		"only those that are not known":    {situation{nodes: available(900), registry: none, pod: always}, []string{"app"}},
		"not where a node has it":          {situation{nodes: []node{{name: "a", capacity: 1000, images: map[string]int64{"app": 0}}}, registry: none}, nil},
		"not where one node of two has it": {situation{nodes: []node{roomy("b"), {name: "a", capacity: 1000, images: map[string]int64{"app": 0}}}, registry: none}, nil},
		"not where a node is not known":    {situation{nodes: []node{roomy("b"), stale}, registry: none}, nil},
		"not where it is never pulled":     {situation{nodes: available(900), registry: none, pod: pull(corev1.PullNever)}, nil},
		"also where a pool is elastic":     {situation{nodes: []node{managed}, registry: none}, []string{"app"}},
		"also where one is assumed":        {situation{nodes: available(900), registry: none, policy: func(p *policy.Policy) { p.UnknownImage.HighBytes = 10 }}, []string{"app"}},
		"also where only a new node would pull it": {situation{
			nodes: []node{labelled(full("a"), "agentpool", "x")}, registry: map[string]int64{"app": 100}, pod: always,
			ledger: func(l *ledger.Ledger) { bind(l, "first", "a", epoch, ref(t, "b")) },
		}, []string{"b"}},
		"one node is full, the other needs": {situation{nodes: []node{full("b"), roomy("a")}, registry: map[string]int64{"b": 100}, pod: always}, []string{"app"}},
	} {
		t.Run(what, func(t *testing.T) {
			d := c.situation.evaluate(t)
			var want []imageref.Ref
			var platforms []Platform
			for _, name := range c.want {
				want, platforms = append(want, ref(t, name)), []Platform{linux}
			}
			if diff := cmp.Diff(want, d.WaitFor, cmp.Comparer(func(a, b imageref.Ref) bool { return a == b })); diff != "" {
				t.Errorf("%s (-want +got)\n%s", d.Message, diff)
			}
			if diff := cmp.Diff(platforms, d.WaitPlatforms); diff != "" {
				t.Errorf("platforms (-want +got)\n%s", diff)
			}
		})
	}
}
