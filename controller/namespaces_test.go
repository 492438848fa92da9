// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	coreinformers "k8s.io/client-go/informers/core/v1"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
	"k8s.io/client-go/tools/cache"

	"github.com/headroom-dev/headroom/policy"
)

func labelled(name, mode string) *corev1.Namespace {
	n := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, UID: "1", ResourceVersion: "2", Annotations: map[string]string{"a": "b"}}}
	if mode != "" {
		n.Labels = map[string]string{policy.ModeLabel: mode, "team": "a"}
	}
	return n
}

func TestModeOfANamespaceFollowsItsLabel(t *testing.T) {
	n, err := NewNamespaces(fake.NewClientset(), time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		about string
		do    func()
		want  string
	}{
		{"a namespace that was never seen", func() {}, ""},
		{"a label", func() { n.set(labelled("team-a", "Enforce")) }, "Enforce"},
		{"another namespace", func() { n.set(labelled("team-b", "Audit")) }, "Enforce"},
		{"a value that means nothing is not for this package to judge", func() { n.set(labelled("team-a", "Sometimes")) }, "Sometimes"},
		{"the label taken away", func() { n.set(labelled("team-a", "")) }, ""},
		{"the label again", func() { n.set(labelled("team-a", "Warn")) }, "Warn"},
		{"deleted", func() { n.deleted(coreinformers.DeletedNamespace{OptionalObj: labelled("team-a", "Warn")}) }, ""},
		{"made anew", func() { n.set(labelled("team-a", "Warn")) }, "Warn"},
		{"deleted while nobody watched", func() {
			n.deleted(coreinformers.DeletedNamespace{FinalStateUnknown: &cache.DeletedFinalStateUnknown{Key: "team-a"}})
		}, ""},
	} {
		step.do()
		if got := n.Mode("team-a"); got != step.want {
			t.Errorf("%s: mode %q, want %q", step.about, got, step.want)
		}
	}
}

func TestNamespacesAreReadBeforeTheyCount(t *testing.T) {
	client := fake.NewClientset(labelled("team-a", "Enforce"), labelled("team-b", ""))
	n, err := NewNamespaces(client, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	select {
	case <-n.Synced():
		t.Fatal("synced before the start")
	default:
	}
	done := start(t, n.Start)
	<-n.Synced()
	if n.Mode("team-a") != "Enforce" || n.Mode("team-b") != "" {
		t.Errorf("modes %q and %q, want Enforce and none", n.Mode("team-a"), n.Mode("team-b"))
	}
	if _, err := client.CoreV1().Namespaces().Create(t.Context(), labelled("team-c", "Audit"), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	wait(t, func() bool { return n.Mode("team-c") == "Audit" })
	if err := done(); err != nil {
		t.Errorf("end: %v", err)
	}
}

func TestNamespacesThatMayNotBeRead(t *testing.T) {
	client := fake.NewClientset()
	client.PrependReactor("list", "namespaces", func(clienttesting.Action) (bool, runtime.Object, error) {
		return true, nil, apierrors.NewForbidden(schema.GroupResource{Resource: "namespaces"}, "", errors.New(
			`User "system:serviceaccount:headroom-system:headroom" cannot list resource "namespaces" in API group "" at the cluster scope`))
	})
	n, err := NewNamespaces(client, 100*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	err = n.Start(logr.NewContext(t.Context(), logr.Discard()))
	const sentence = "the namespaces could not be read within 100ms: cannot list namespaces at cluster scope: " +
		"ServiceAccount headroom-system/headroom needs list on namespaces"
	if err == nil || !strings.Contains(err.Error(), sentence) {
		t.Errorf("start without the permission: %v, want %q", err, sentence)
	}
}

func TestSlimNamespace(t *testing.T) {
	want := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name: "team-a", UID: "1", ResourceVersion: "2", Labels: map[string]string{policy.ModeLabel: "Warn"},
	}}
	if diff := cmp.Diff(want, slimmed(t, SlimNamespace, labelled("team-a", "Warn"))); diff != "" {
		t.Errorf("slim namespace (-want +got):\n%s", diff)
	}
	if other, err := SlimNamespace("tombstone"); other != "tombstone" || err != nil {
		t.Errorf("another object becomes %v, %v", other, err)
	}
}
