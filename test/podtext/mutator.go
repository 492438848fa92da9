// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

// Package podtext makes texts of pods, of all fields that pods have, and of what is nearly a pod: for tests of what reads them.
package podtext

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/randfill"
)

// Mutator makes pods that have any field, and changes texts. Equal seeds do the same.
type Mutator struct {
	random *rand.Rand
	fill   *randfill.Filler
	// other is one more text to put in.
	other string
}

// New returns one. other is one more text that it puts in.
func New(seed uint64, other []byte) *Mutator {
	random := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // it has to be the same again
	m := &Mutator{random: random, other: string(other)}
	m.fill = randfill.NewWithSeed(random.Int64()).NilChance(0.7).NumElements(0, 2).MaxDepth(12).Funcs(
		func(q *resource.Quantity, c randfill.Continue) {
			*q = resource.MustParse([]string{"1", "100m", "1.5Gi", "1e3", "0", "12345678901"}[c.Intn(6)])
		},
		func(t *metav1.Time, c randfill.Continue) { *t = metav1.NewTime(time.Unix(c.Int63n(4e9), 0)) },
		func(f *metav1.FieldsV1, _ randfill.Continue) {
			f.SetRawString(`{"f:spec":{"k:{\"name\":\"a\"}":{".":{}}}}`)
		},
		func(i *intstr.IntOrString, c randfill.Continue) {
			*i = []intstr.IntOrString{intstr.FromInt32(8080), intstr.FromString("http")}[c.Intn(2)]
		},
	)
	return m
}

// Pod returns a pod.
func (m *Mutator) Pod() []byte {
	var pod corev1.Pod
	m.fill.Fill(&pod)
	m.ordinary(reflect.ValueOf(&pod).Elem())
	if m.random.IntN(4) == 0 {
		pod.Annotations = map[string]string{corev1.MirrorPodAnnotationKey: "x", "y": "z"}
	}
	text, err := json.Marshal(&pod)
	if err != nil {
		panic(err) // a pod can be written
	}
	return text
}

// ordinary replaces most texts and numbers, which are made of anything, by what people write.
func (m *Mutator) ordinary(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		odd := []string{"", "é", "a\"b\\c\n", "<&>", "\xff", strings.Repeat("long ", 30)}
		texts := []string{"a", "nginx:1.27", "registry.example.com/team/app@sha256:0", "IfNotPresent", "Always", "12345678"}
		if m.random.IntN(300) == 0 {
			texts = odd
		}
		v.SetString(texts[m.random.IntN(len(texts))])
	case reflect.Int32, reflect.Int64:
		if m.random.IntN(300) > 0 {
			v.SetInt(int64(m.random.IntN(100_000)) - 10)
		}
	case reflect.Pointer:
		m.ordinary(v.Elem())
	case reflect.Slice:
		for i := range v.Len() {
			m.ordinary(v.Index(i))
		}
	case reflect.Struct:
		switch v.Interface().(type) {
		case resource.Quantity, metav1.Time, metav1.FieldsV1, intstr.IntOrString:
			return
		}
		for _, field := range v.Fields() {
			m.ordinary(field)
		}
	case reflect.Map:
		ordinaryMap(v)
	default:
	}
}

func ordinaryMap(v reflect.Value) {
	if texts, is := reflect.TypeAssert[map[string]string](v); is && len(texts) > 0 {
		clear(texts)
		texts["app.kubernetes.io/name"], texts["b"] = "web", ""
	}
	if list, is := reflect.TypeAssert[corev1.ResourceList](v); is && len(list) > 0 {
		clear(list)
		list["cpu"], list["example.com/gpu"] = resource.MustParse("250m"), resource.MustParse("1")
	}
}

// Mutate changes one part of a text: mostly, it then still is what it was.
func (m *Mutator) Mutate(text []byte) []byte {
	s := string(text)
	if s == "" {
		return text
	}
	start, end := m.value(s)
	switch m.random.IntN(9) {
	case 0: // cut off
		return []byte(s[:m.random.IntN(len(s)+1)])
	case 1: // a byte is another one
		at := m.random.IntN(len(s) + 1)
		return []byte(s[:at] + string(m.random.Int32N(256)) + s[min(at+1, len(s)):])
	case 2: // something comes twice
		return []byte(s[:end] + "," + m.again(s, start, end) + s[end:])
	case 3: // another case
		at := m.random.IntN(len(s))
		return []byte(s[:at] + strings.ToUpper(s[at:at+1]) + s[at+1:])
	case 4: // an escape sequence
		at := m.random.IntN(len(s))
		return fmt.Appendf(nil, "%s\\u%04x%s", s[:at], s[at], s[at+1:])
	case 5: // a field that is not known
		if strings.HasPrefix(s[start:], `{"`) {
			return []byte(s[:start+1] + `"unknown":` + m.any() + "," + s[start+1:])
		}
		return []byte(s[:start] + m.any() + s[end:])
	case 6: // space
		return []byte(s[:start] + " \t\r\n" + s[start:end] + "\n " + s[end:])
	default: // another value
		return []byte(s[:start] + m.any() + s[end:])
	}
}

// again is the value from start to end, with its name where it has one, and then with another value.
func (m *Mutator) again(s string, start, end int) string {
	if start > 0 && s[start-1] == ':' {
		if quote := strings.LastIndexByte(s[:start], '"'); quote > 0 {
			if name := strings.LastIndexByte(s[:quote], '"'); name >= 0 {
				return s[name:start] + m.any()
			}
		}
	}
	return s[start:end]
}

// value returns where some value is in a text, as far as one that is none can have them.
func (m *Mutator) value(s string) (start, end int) {
	start = m.random.IntN(len(s) + 1)
	if colon := strings.IndexByte(s[start:], ':'); colon >= 0 {
		start += colon + 1
	}
	decoder := json.NewDecoder(strings.NewReader(s[start:]))
	var raw json.RawMessage
	if decoder.Decode(&raw) != nil {
		return start, start
	}
	return start, start + int(decoder.InputOffset())
}

// any is some value, or nearly one.
func (m *Mutator) any() string {
	values := []string{
		`null`, `""`, `"x"`, `0`, `-1`, `1.0`, `1e2`, `2147483648`, `99999999999999999999`, `-0`, `01`, `true`, `{}`, `[]`, `[null]`, `[{}]`, `{"a":"b"}`,
		`{"a":null}`, `{"a":1}`, `{"cpu":"1","cpu":"2"}`, `{"cpu":1}`, `{"cpu":"x"}`, `[{"image":"a","image":null}]`, `[{"Image":"a"}]`, `[1]`, `["a"]`,
		"\"\xff\"", `"\ud800"`, `"\x"`, `tru`, `nul`, `"2026-01-02T03:04:05Z"`, `"2026-02-30T03:04:05Z"`, `"10Gi"`, `"1e3"`, `[{"image":"` + strings.Repeat("y", 70) + `"}]`,
		strings.Repeat("[", 90) + strings.Repeat("]", 90), strings.Repeat("[", 200) + strings.Repeat("]", 200), m.other,
	}
	return values[m.random.IntN(len(values))]
}
