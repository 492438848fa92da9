// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package placement

import (
	"strconv"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// TestMoreThanIsLookedAt: what has too many wishes may land anywhere, as far as names, selectors and operating systems let it.
func TestMoreThanIsLookedAt(t *testing.T) {
	values := func(n int) corev1.PodSpec {
		r := corev1.NodeSelectorRequirement{Key: "zone", Operator: corev1.NodeSelectorOpIn}
		for i := range n {
			r.Values = append(r.Values, strconv.Itoa(i))
		}
		return corev1.PodSpec{Affinity: &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{
			RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{{MatchExpressions: []corev1.NodeSelectorRequirement{r}}}},
		}}}
	}
	terms := func(n int) corev1.PodSpec {
		spec := values(0)
		required := spec.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution
		required.NodeSelectorTerms = nil
		for range n {
			required.NodeSelectorTerms = append(required.NodeSelectorTerms, corev1.NodeSelectorTerm{MatchFields: []corev1.NodeSelectorRequirement{{
				Key: "metadata.name", Operator: corev1.NodeSelectorOpIn, Values: []string{"other"},
			}}})
		}
		return spec
	}
	tolerations := func(n int) corev1.PodSpec {
		var spec corev1.PodSpec
		for i := range n {
			spec.Tolerations = append(spec.Tolerations, corev1.Toleration{Key: "dedicated", Value: strconv.Itoa(i)})
		}
		return spec
	}
	selecting := func(spec corev1.PodSpec) corev1.PodSpec {
		spec.NodeSelector = map[string]string{"zone": "other"}
		return spec
	}
	n := &Node{
		Name: "a", Labels: map[string]string{"zone": "here"}, Ready: true, OS: "linux",
		Taints: []corev1.Taint{{Key: "dedicated", Value: "yes", Effect: corev1.TaintEffectNoSchedule}},
	}
	tests := map[string]struct {
		spec                   corev1.PodSpec
		tied, possible, likely bool
	}{
		"as many values as are looked at":          {spec: values(maxWishes - 2)},
		"one value more":                           {spec: values(maxWishes - 1), tied: true, possible: true},
		"as many terms as are looked at":           {spec: terms(maxWishes / 3)},
		"one term more":                            {spec: terms(maxWishes/3 + 1), tied: true, possible: true},
		"as many tolerations as are looked at":     {spec: tolerations(maxWishes), tied: true},
		"one toleration more":                      {spec: tolerations(maxWishes + 1), tied: true, possible: true},
		"one toleration more, and a node selector": {spec: selecting(tolerations(maxWishes + 1))},
	}
	keys := map[string]string{}
	for what, test := range tests {
		c := Of(&test.spec)
		if tied, possible, likely := c.TiedTo(n), c.Possible(n, nil), c.Likely(n, Resources{Pods: 1}); tied != test.tied || possible != test.possible || likely != test.likely {
			t.Errorf("%s: tied %v, possible %v, likely %v; want %v, %v, %v", what, tied, possible, likely, test.tied, test.possible, test.likely)
		}
		if beyond := strings.Contains(what, "more"); beyond != c.IgnoresSoftTaint() {
			t.Errorf("%s: ignores the soft taint: %v", what, !beyond)
		}
		keys[c.Key()] = what
	}
	if keys[Of(nil).Key()] != "" {
		t.Error("a pod with too many wishes has the key of one without any")
	}
	if want := 5; len(keys) != want {
		t.Errorf("%d keys, want %d", len(keys), want)
	}
}
