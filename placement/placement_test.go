// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package placement_test

import (
	"math"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/headroom-dev/headroom/placement"
)

// node is a Ready Linux node "a" of zone 1 with room for everything.
func node(changes ...func(*placement.Node)) *placement.Node {
	n := &placement.Node{
		Name: "a", Labels: map[string]string{"zone": "1", "cores": "8"}, Ready: true, OS: "linux", Architecture: "amd64",
	}
	for _, change := range changes {
		change(n)
	}
	return n
}

func taint(key, value string, effect corev1.TaintEffect) func(*placement.Node) {
	return func(n *placement.Node) {
		n.Taints = append(n.Taints, corev1.Taint{Key: key, Value: value, Effect: effect})
	}
}

func required(terms ...corev1.NodeSelectorTerm) *corev1.Affinity {
	return &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{
		RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{NodeSelectorTerms: terms},
	}}
}

func label(key string, operator corev1.NodeSelectorOperator, values ...string) corev1.NodeSelectorTerm {
	return corev1.NodeSelectorTerm{MatchExpressions: []corev1.NodeSelectorRequirement{{Key: key, Operator: operator, Values: values}}}
}

func named(names ...string) corev1.NodeSelectorTerm {
	return corev1.NodeSelectorTerm{MatchFields: []corev1.NodeSelectorRequirement{{Key: "metadata.name", Operator: corev1.NodeSelectorOpIn, Values: names}}}
}

func tolerating(tolerations ...corev1.Toleration) corev1.PodSpec {
	return corev1.PodSpec{Tolerations: tolerations}
}

func TestWhereAPodMayLand(t *testing.T) {
	const noSchedule, noExecute = corev1.TaintEffectNoSchedule, corev1.TaintEffectNoExecute
	cordoned := func(n *placement.Node) { n.Unschedulable = true }
	notReady := func(n *placement.Node) { n.Ready = false }
	tests := map[string]struct {
		pod                    corev1.PodSpec
		node                   *placement.Node
		tied, possible, likely bool
	}{
		"a pod without wishes":                         {node: node(), tied: true, possible: true, likely: true},
		"its own node":                                 {pod: corev1.PodSpec{NodeName: "a"}, node: node(), tied: true, possible: true, likely: true},
		"another node":                                 {pod: corev1.PodSpec{NodeName: "b"}, node: node()},
		"a selector that matches":                      {pod: corev1.PodSpec{NodeSelector: map[string]string{"zone": "1"}}, node: node(), tied: true, possible: true, likely: true},
		"a selector with another value":                {pod: corev1.PodSpec{NodeSelector: map[string]string{"zone": "2"}}, node: node()},
		"a selector for a label the node lacks":        {pod: corev1.PodSpec{NodeSelector: map[string]string{"disk": ""}}, node: node()},
		"affinity that matches in one term":            {pod: corev1.PodSpec{Affinity: required(label("zone", "In", "2"), label("cores", "Gt", "4"))}, node: node(), tied: true, possible: true, likely: true},
		"affinity that does not match":                 {pod: corev1.PodSpec{Affinity: required(label("zone", "NotIn", "1"))}, node: node()},
		"affinity without terms matches nothing":       {pod: corev1.PodSpec{Affinity: required()}, node: node()},
		"affinity to the node's name":                  {pod: corev1.PodSpec{Affinity: required(named("a"))}, node: node(), tied: true, possible: true, likely: true},
		"affinity to another name":                     {pod: corev1.PodSpec{Affinity: required(named("b"))}, node: node()},
		"affinity to another name or a label":          {pod: corev1.PodSpec{Affinity: required(named("b"), label("zone", "Exists"))}, node: node(), tied: true, possible: true, likely: true},
		"terms that can't be understood, among others": {pod: corev1.PodSpec{Affinity: required(label("zone", "In", "7"), label("zone", "Like", "1"), label("zone", "Gt", "x"))}, node: node(), tied: true, possible: true},
		"one that can, among terms that can't":         {pod: corev1.PodSpec{Affinity: required(label("zone", "Like", "1"), label("zone", "Gt", "x"), label("zone", "Exists"))}, node: node(), tied: true, possible: true, likely: true},
		"affinity that can't be understood":            {pod: corev1.PodSpec{Affinity: required(label("zone", "Like", "1"))}, node: node(), tied: true, possible: true},
		"another operating system":                     {pod: corev1.PodSpec{OS: &corev1.PodOS{Name: "windows"}}, node: node()},
		"the same operating system":                    {pod: corev1.PodSpec{OS: &corev1.PodOS{Name: "linux"}}, node: node(), tied: true, possible: true, likely: true},
		"a cordoned node":                              {node: node(cordoned), tied: true, possible: true},
		"a cordoned node, tolerated": {
			pod:  tolerating(corev1.Toleration{Key: "node.kubernetes.io/unschedulable", Operator: "Exists", Effect: noSchedule}),
			node: node(cordoned), tied: true, possible: true, likely: true,
		},
		"a cordoned node, by nodeName":            {pod: corev1.PodSpec{NodeName: "a"}, node: node(cordoned), tied: true, possible: true, likely: true},
		"a node that is not ready":                {node: node(notReady), tied: true, possible: true},
		"a node under disk pressure":              {node: node(taint("node.kubernetes.io/disk-pressure", "", noSchedule)), tied: true, possible: true},
		"a node the cloud provider has not seen":  {node: node(taint("node.cloudprovider.kubernetes.io/uninitialized", "true", noSchedule)), tied: true, possible: true},
		"a node that is starting":                 {node: node(taint("example.com/starting", "", noSchedule)), tied: true, possible: true},
		"a tainted node":                          {node: node(taint("gpu", "yes", noSchedule)), tied: true},
		"a tainted node, tolerated":               {pod: tolerating(corev1.Toleration{Key: "gpu", Value: "yes"}), node: node(taint("gpu", "yes", noSchedule)), tied: true, possible: true, likely: true},
		"tolerated with another value":            {pod: tolerating(corev1.Toleration{Key: "gpu", Value: "no"}), node: node(taint("gpu", "yes", noSchedule)), tied: true},
		"tolerated for another effect":            {pod: tolerating(corev1.Toleration{Key: "gpu", Operator: "Exists", Effect: noExecute}), node: node(taint("gpu", "yes", noSchedule)), tied: true},
		"everything tolerated":                    {pod: tolerating(corev1.Toleration{Operator: "Exists"}), node: node(taint("gpu", "yes", noExecute)), tied: true, possible: true, likely: true},
		"tolerated by a number, which may count":  {pod: tolerating(corev1.Toleration{Key: "sla", Operator: "Gt", Value: "900"}), node: node(taint("sla", "950", noSchedule)), tied: true, possible: true},
		"a taint that only prefers":               {node: node(taint("gpu", "yes", corev1.TaintEffectPreferNoSchedule)), tied: true, possible: true, likely: true},
		"nodeName passes NoSchedule by":           {pod: corev1.PodSpec{NodeName: "a"}, node: node(taint("gpu", "yes", noSchedule)), tied: true, possible: true, likely: true},
		"nodeName does not pass NoExecute by":     {pod: corev1.PodSpec{NodeName: "a"}, node: node(taint("gpu", "yes", noExecute)), tied: true},
		"a node whose operating system is hidden": {pod: corev1.PodSpec{OS: &corev1.PodOS{Name: "linux"}}, node: &placement.Node{Name: "a", Ready: true}, tied: true, possible: true, likely: true},
	}
	startup := func(key string) bool { return key == "example.com/starting" }
	free := placement.Resources{Pods: 1}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c := placement.Of(&test.pod)
			if got := c.TiedTo(test.node); got != test.tied {
				t.Errorf("tied to the node: %v, want %v", got, test.tied)
			}
			if got := c.Possible(test.node, startup); got != test.possible {
				t.Errorf("possible: %v, want %v", got, test.possible)
			}
			if got := c.Likely(test.node, free); got != test.likely {
				t.Errorf("likely: %v, want %v", got, test.likely)
			}
		})
	}
	if placement.Of(nil).Possible(node(taint("example.com/starting", "", noSchedule)), nil) {
		t.Error("a taint that no policy lists as one of startup does not last")
	}
}

// A DaemonSet's pods go where its template's own tolerations would not let them.
func TestWhereADaemonSetsPodsMayLand(t *testing.T) {
	const noSchedule, noExecute = corev1.TaintEffectNoSchedule, corev1.TaintEffectNoExecute
	cordoned := func(n *placement.Node) { n.Unschedulable = true }
	host := corev1.PodSpec{HostNetwork: true}
	tests := map[string]struct {
		template    corev1.PodSpec
		node        *placement.Node
		pod, daemon bool // likely there
	}{
		"a plain node":                        {node: node(), pod: true, daemon: true},
		"a cordoned node":                     {node: node(cordoned), daemon: true},
		"the taint of a cordoned node":        {node: node(cordoned, taint("node.kubernetes.io/unschedulable", "", noSchedule)), daemon: true},
		"disk pressure":                       {node: node(taint("node.kubernetes.io/disk-pressure", "", noSchedule)), daemon: true},
		"memory pressure":                     {node: node(taint("node.kubernetes.io/memory-pressure", "", noSchedule)), daemon: true},
		"too many processes":                  {node: node(taint("node.kubernetes.io/pid-pressure", "", noSchedule)), daemon: true},
		"a taint of not being ready":          {node: node(taint("node.kubernetes.io/not-ready", "", noExecute)), daemon: true},
		"a taint of not being reachable":      {node: node(taint("node.kubernetes.io/unreachable", "", noExecute)), daemon: true},
		"no network":                          {node: node(taint("node.kubernetes.io/network-unavailable", "", noSchedule))},
		"no network, and none of its own":     {template: host, node: node(taint("node.kubernetes.io/network-unavailable", "", noSchedule)), daemon: true},
		"a node that is going down":           {node: node(taint("node.kubernetes.io/out-of-service", "", noExecute))},
		"a lasting taint":                     {node: node(taint("gpu", "yes", noSchedule))},
		"a lasting taint that it tolerates":   {template: tolerating(corev1.Toleration{Key: "gpu", Operator: "Exists"}), node: node(taint("gpu", "yes", noSchedule)), pod: true, daemon: true},
		"a selector that does not match":      {template: corev1.PodSpec{NodeSelector: map[string]string{"zone": "2"}}, node: node()},
		"a node that is not ready by its own": {node: node(func(n *placement.Node) { n.Ready = false })},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			written := len(test.template.Tolerations)
			free := placement.Resources{Pods: 1}
			if got := placement.Of(&test.template).Likely(test.node, free); got != test.pod {
				t.Errorf("a pod of the template: %v, want %v", got, test.pod)
			}
			if got := placement.OfDaemonSet(&test.template).Likely(test.node, free); got != test.daemon {
				t.Errorf("a pod of the DaemonSet: %v, want %v", got, test.daemon)
			}
			if len(test.template.Tolerations) != written {
				t.Error("the template has been changed")
			}
		})
	}
	if !placement.OfDaemonSet(nil).Likely(node(cordoned), placement.Resources{Pods: 1}) {
		t.Error("no template is one without wishes")
	}
	if placement.OfDaemonSet(nil).Key() == placement.Of(nil).Key() {
		t.Error("one key for pods that may run on different nodes")
	}
}

func TestLikelyNeedsRoom(t *testing.T) {
	spec := &corev1.PodSpec{
		Containers: []corev1.Container{{Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{
			"cpu": resource.MustParse("1500m"), "memory": resource.MustParse("1Gi"), "example.com/gpu": resource.MustParse("2"),
		}}}},
		Overhead: corev1.ResourceList{"cpu": resource.MustParse("100m")},
	}
	enough := placement.Resources{MilliCPU: 1600, MemoryBytes: 1 << 30, Pods: 1, Extended: map[corev1.ResourceName]int64{"example.com/gpu": 2}}
	c := placement.Of(spec)
	if got := c.Requests(); !got.Equal(enough) {
		t.Fatalf("requests %+v, want %+v", got, enough)
	}
	if !c.Likely(node(), enough) {
		t.Error("not likely where there is just enough")
	}
	for name, less := range map[string]placement.Resources{
		"cpu":    {MilliCPU: 1},
		"memory": {MemoryBytes: 1},
		"pods":   {Pods: 1},
		"device": {Extended: map[corev1.ResourceName]int64{"example.com/gpu": 1}},
	} {
		if c.Likely(node(), enough.Minus(less)) {
			t.Errorf("likely without enough of %s", name)
		}
		if got := enough.Minus(less).Plus(less); !got.Equal(enough) {
			t.Errorf("%s taken and given back: %+v, want %+v", name, got, enough)
		}
	}
	if enough.Extended["example.com/gpu"] != 2 {
		t.Error("arithmetic has changed its operand")
	}
	if overdrawn := (placement.Resources{MilliCPU: -5, Pods: 1}); !overdrawn.Cover(placement.Resources{Pods: 1}) {
		t.Error("what is not requested is in the way")
	}
}

func TestResourcesSaturate(t *testing.T) {
	r := func(n int64) placement.Resources { return placement.Resources{MemoryBytes: n} }
	for name, test := range map[string]struct{ got, want placement.Resources }{
		"sum":                      {r(math.MaxInt64).Plus(r(1)), r(math.MaxInt64)},
		"negative sum":             {r(math.MinInt64).Plus(r(-1)), r(math.MinInt64)},
		"difference":               {r(math.MinInt64).Minus(r(1)), r(math.MinInt64)},
		"less the smallest number": {r(-1).Minus(r(math.MinInt64)), r(math.MaxInt64)},
	} {
		if !test.got.Equal(test.want) {
			t.Errorf("%s: %+v, want %+v", name, test.got, test.want)
		}
	}
}

func TestSelects(t *testing.T) {
	c := placement.Of(&corev1.PodSpec{NodeSelector: map[string]string{"pool": "racks", "empty": ""}})
	for label, want := range map[string]string{"pool": "racks", "empty": ""} {
		if value, selected := c.Selects(label); !selected || value != want {
			t.Errorf("%s: %q, %v", label, value, selected)
		}
	}
	if value, selected := c.Selects("other"); selected || value != "" {
		t.Errorf("what is not selected: %q, %v", value, selected)
	}
}

func TestKeyIsOfTheTemplate(t *testing.T) {
	base := func() *corev1.PodSpec {
		return &corev1.PodSpec{NodeSelector: map[string]string{"a": "1", "b": "2", "c": "3"}}
	}
	key := placement.Of(base()).Key()
	if len(key) != 64 {
		t.Errorf("key %q has %d bytes, want 64", key, len(key))
	}
	for range 20 {
		if placement.Of(base()).Key() != key {
			t.Fatal("two keys for one template")
		}
	}
	for name, change := range map[string]func(*corev1.PodSpec){
		"nodeName":   func(s *corev1.PodSpec) { s.NodeName = "a" },
		"selector":   func(s *corev1.PodSpec) { s.NodeSelector["c"] = "4" },
		"affinity":   func(s *corev1.PodSpec) { s.Affinity = required(named("a")) },
		"no terms":   func(s *corev1.PodSpec) { s.Affinity = required() },
		"toleration": func(s *corev1.PodSpec) { s.Tolerations = []corev1.Toleration{{Operator: "Exists"}} },
		"os":         func(s *corev1.PodSpec) { s.OS = &corev1.PodOS{Name: "linux"} },
	} {
		spec := base()
		change(spec)
		if placement.Of(spec).Key() == key {
			t.Errorf("the key does not tell another %s", name)
		}
	}
}

func TestConstraintsKeepNothingOfTheSpec(t *testing.T) {
	spec := &corev1.PodSpec{NodeSelector: map[string]string{"zone": "1"}, Tolerations: []corev1.Toleration{{Operator: "Exists"}}, Affinity: required(label("zone", "In", "1"))}
	c := placement.Of(spec)
	spec.NodeSelector["zone"], spec.Tolerations[0] = "2", corev1.Toleration{}
	spec.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms[0].MatchExpressions[0].Values[0] = "2"
	if !c.Possible(node(taint("gpu", "", corev1.TaintEffectNoSchedule)), nil) {
		t.Error("constraints change with the spec they were made of")
	}
}

func BenchmarkPossible5kNodesWithAffinity(b *testing.B) {
	c := placement.Of(&corev1.PodSpec{Affinity: required(label("zone", "In", "1"))})
	n := node()
	b.ReportAllocs()
	for b.Loop() {
		for range 5000 {
			if !c.Possible(n, nil) {
				b.Fatal("not possible")
			}
		}
	}
}

// TestTermsOfManyExpressions: of a term that is too long to be looked at in full, what is looked at holds, and the rest keeps
// no node out.
func TestTermsOfManyExpressions(t *testing.T) {
	long := func(first, last corev1.NodeSelectorRequirement) corev1.PodSpec {
		term := corev1.NodeSelectorTerm{MatchExpressions: []corev1.NodeSelectorRequirement{first}}
		for range 30_000 {
			term.MatchExpressions = append(term.MatchExpressions, corev1.NodeSelectorRequirement{Key: "zone", Operator: corev1.NodeSelectorOpExists})
		}
		term.MatchExpressions = append(term.MatchExpressions, last)
		return corev1.PodSpec{Affinity: required(term, label("zone", corev1.NodeSelectorOpIn, "3"))}
	}
	here := corev1.NodeSelectorRequirement{Key: "zone", Operator: corev1.NodeSelectorOpIn, Values: []string{"1"}}
	elsewhere := corev1.NodeSelectorRequirement{Key: "zone", Operator: corev1.NodeSelectorOpIn, Values: []string{"2"}}
	for name, tc := range map[string]struct {
		pod  corev1.PodSpec
		want bool
	}{
		"all of it matches":          {long(here, here), true},
		"the first does not match":   {long(elsewhere, here), false},
		"only the last keeps it out": {long(here, elsewhere), true},
	} {
		t.Run(name, func(t *testing.T) {
			if got := placement.Of(&tc.pod).Possible(node(), nil); got != tc.want {
				t.Errorf("possible is %v, want %v", got, tc.want)
			}
		})
	}
}
