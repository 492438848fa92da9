// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package placement

import (
	"reflect"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// TestNothingIsLeftOutOfKeys: each of the types that a key is made of has the fields that it is made of. One that is new here
// belongs into keyOf.
func TestNothingIsLeftOutOfKeys(t *testing.T) {
	for of, want := range map[reflect.Type]int{
		reflect.TypeFor[corev1.Toleration]():              5,
		reflect.TypeFor[corev1.NodeSelector]():            1,
		reflect.TypeFor[corev1.NodeSelectorTerm]():        2,
		reflect.TypeFor[corev1.NodeSelectorRequirement](): 3,
	} {
		if got := of.NumField(); got != want {
			t.Errorf("%v has %d fields, %d when keyOf was written", of, got, want)
		}
	}
}

// TestKeysDiffer: what is cut otherwise is another wish.
func TestKeysDiffer(t *testing.T) {
	term := func(expressions, fields []corev1.NodeSelectorRequirement) *corev1.PodSpec {
		return &corev1.PodSpec{Affinity: &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{
			NodeSelectorTerms: []corev1.NodeSelectorTerm{{MatchExpressions: expressions, MatchFields: fields}},
		}}}}
	}
	in := func(key string, values ...string) []corev1.NodeSelectorRequirement {
		return []corev1.NodeSelectorRequirement{{Key: key, Operator: corev1.NodeSelectorOpIn, Values: values}}
	}
	keys := map[string]string{}
	for what, spec := range map[string]*corev1.PodSpec{
		"nothing":                      {},
		"a node":                       {NodeName: "a"},
		"an operating system":          {OS: &corev1.PodOS{Name: "a"}},
		"a label":                      {NodeSelector: map[string]string{"a": "b"}},
		"a label cut otherwise":        {NodeSelector: map[string]string{"ab": ""}},
		"two labels":                   {NodeSelector: map[string]string{"a": "", "b": ""}},
		"a toleration":                 {Tolerations: []corev1.Toleration{{Key: "a"}}},
		"a toleration's value":         {Tolerations: []corev1.Toleration{{Value: "a"}}},
		"one for a while":              {Tolerations: []corev1.Toleration{{Key: "a", TolerationSeconds: new(int64(0))}}},
		"one for a longer while":       {Tolerations: []corev1.Toleration{{Key: "a", TolerationSeconds: new(int64(1))}}},
		"an affinity":                  term(in("a", "b"), nil),
		"an affinity to a field":       term(nil, in("a", "b")),
		"an affinity with two values":  term(in("a", "b", "c"), nil),
		"an affinity that is cut else": term(in("a", "bc"), nil),
		"an affinity to nothing":       term(nil, nil),
	} {
		key := Of(spec).Key()
		if other, taken := keys[key]; taken || len(key) != 64 {
			t.Errorf("%s has the key of %s", what, other)
		}
		keys[key] = what
	}
}
