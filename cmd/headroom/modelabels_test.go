// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/headroom-dev/headroom/policy"
)

func TestCheckReadsTheLabelsOfNamespaces(t *testing.T) {
	client := fake.NewClientset(
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "strict", Labels: map[string]string{policy.ModeLabel: "Enforce"}}},
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "plain"}},
	)
	client.PrependReactor("get", "namespaces", func(action clienttesting.Action) (bool, runtime.Object, error) {
		if action.(clienttesting.GetAction).GetName() != "secret" {
			return false, nil, nil
		}
		return true, nil, apierrors.NewForbidden(schema.GroupResource{Resource: "namespaces"}, "secret", errors.New(
			`User "jane" cannot get resource "namespaces" in API group "" in the namespace "secret"`))
	})
	asked := []string{"strict", "plain", "strict", "not-made-yet", "secret"}
	for name, test := range map[string]struct {
		change func(*policy.Policy)
		want   map[string]string
		notes  string
	}{
		"the default policy": {
			change: func(*policy.Policy) {},
			want:   map[string]string{"strict": "Enforce", "plain": "", "not-made-yet": "", "secret": ""},
			notes: "note: the label headroom.dev/mode of namespace secret can't be read, the policy's mode is used: " +
				"cannot get namespaces in namespace \"secret\": user \"jane\" needs get on namespaces\n",
		},
		"labels that are not followed are not asked for": {
			change: func(p *policy.Policy) { p.NamespaceOverrides = policy.OverridesNone }, want: map[string]string{},
		},
		"nor are any where nothing is judged": {change: func(p *policy.Policy) { p.Mode = policy.Off }, want: map[string]string{}},
	} {
		t.Run(name, func(t *testing.T) {
			p := policy.Default()
			test.change(p)
			var notes strings.Builder
			got := readModeLabels(t.Context(), client, p, asked, &notes)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("labels (-want +got):\n%s", diff)
			}
			if notes.String() != test.notes {
				t.Errorf("notes %q, want %q", notes.String(), test.notes)
			}
		})
	}
}
