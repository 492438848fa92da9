// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package placement

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

func TestConstraintsReadBackAreTheSame(t *testing.T) {
	affinity := func(terms ...corev1.NodeSelectorTerm) *corev1.Affinity {
		return &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{
			RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{NodeSelectorTerms: terms},
		}}
	}
	pool := corev1.NodeSelectorTerm{MatchExpressions: []corev1.NodeSelectorRequirement{{Key: "pool", Operator: corev1.NodeSelectorOpIn, Values: []string{"a"}}}}
	named := func(names ...string) corev1.NodeSelectorTerm {
		return corev1.NodeSelectorTerm{MatchFields: []corev1.NodeSelectorRequirement{{Key: "metadata.name", Operator: corev1.NodeSelectorOpIn, Values: names}}}
	}
	broken := corev1.NodeSelectorTerm{MatchExpressions: []corev1.NodeSelectorRequirement{{Key: "pool", Operator: "Likes"}}}
	nodes := []*Node{
		{Name: "a", Labels: map[string]string{"pool": "a"}, OS: "linux", Ready: true, Allocatable: Resources{MilliCPU: 1000, Pods: 1}},
		{Name: "b", Labels: map[string]string{"pool": "b"}, OS: "windows", Ready: true},
		{Name: "c", Labels: map[string]string{"pool": "a"}, Taints: []corev1.Taint{{Key: "own", Effect: corev1.TaintEffectNoSchedule}}, Ready: true},
	}
	for name, spec := range map[string]*corev1.PodSpec{
		"nothing":       {},
		"a node":        {NodeName: "b"},
		"a selector":    {NodeSelector: map[string]string{"pool": "a"}},
		"an OS":         {OS: &corev1.PodOS{Name: corev1.Windows}},
		"a toleration":  {Tolerations: []corev1.Toleration{{Key: "own", Operator: corev1.TolerationOpExists}}},
		"an affinity":   {Affinity: affinity(pool)},
		"names":         {Affinity: affinity(named("a"), named("c"))},
		"no name":       {Affinity: affinity(named())},
		"no term":       {Affinity: affinity()},
		"a broken term": {Affinity: affinity(broken, pool)},
		"too much":      {Tolerations: slices.Repeat([]corev1.Toleration{{Key: "own", Operator: corev1.TolerationOpExists}}, maxWishes+1)},
		"requests": {Containers: []corev1.Container{{Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{
			corev1.ResourceCPU: resource.MustParse("500m"), "example.com/gpu": resource.MustParse("1"),
		}}}}},
	} {
		t.Run(name, func(t *testing.T) {
			want, got := Of(spec), &Constraints{}
			text, err := json.Marshal(want)
			if err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(text, got); err != nil {
				t.Fatal(err)
			}
			if got.Key() != want.Key() || got.NodeName() != want.NodeName() || got.IgnoresSoftTaint() != want.IgnoresSoftTaint() {
				t.Errorf("%s is read back with another key, node or toleration", text)
			}
			if diff := cmp.Diff(want.Requests(), got.Requests()); diff != "" {
				t.Errorf("requests (-want +got):\n%s", diff)
			}
			for _, n := range nodes {
				is := [3]bool{got.Possible(n, nil), got.TiedTo(n), got.Likely(n, n.Allocatable)}
				if was := [3]bool{want.Possible(n, nil), want.TiedTo(n), want.Likely(n, n.Allocatable)}; is != was {
					t.Errorf("node %s: possible, tied and likely are %v, were %v", n.Name, is, was)
				}
			}
		})
	}
}
