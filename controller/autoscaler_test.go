// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/headroom-dev/headroom/ledger"
)

func autoscalerStatusOf(text string) *corev1.ConfigMap {
	return &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: AutoscalerNamespace, Name: AutoscalerConfigMap},
		Data:       map[string]string{autoscalerKey: text},
	}
}

func syncedLedger() *ledger.Ledger {
	l := ledger.New()
	l.MarkSynced()
	return l
}

func TestAutoscalerIsFollowed(t *testing.T) {
	other := autoscalerStatusOf(statusYAML)
	other.Namespace = "default"
	client, l := fake.NewClientset(other), syncedLedger()
	s, err := NewAutoscalerStatus(client, l)
	if err != nil {
		t.Fatal(err)
	}
	present := func() bool { return l.Snapshot().Autoscaler().Present }
	if !present() {
		t.Error("before the first answer, there may be one")
	}
	done := start(t, s.Start)
	<-s.Answered()
	if present() {
		t.Error("there is none, but for a ConfigMap in another namespace")
	}
	configMaps := client.CoreV1().ConfigMaps(AutoscalerNamespace)
	if _, err := configMaps.Create(t.Context(), autoscalerStatusOf("autoscalerStatus: Initializing"), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	wait(t, present)
	if !l.Snapshot().Autoscaler().Unseen() {
		t.Error("while it starts, nobody knows its groups")
	}
	if _, err := configMaps.Update(t.Context(), autoscalerStatusOf(statusYAML), metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	wait(t, func() bool { return l.Snapshot().Autoscaler().Groups != nil })
	want := []ledger.NodeGroup{{Name: "pool-web", Nodes: 3, MaxNodes: 10}, {Name: "pool-gpu", MaxNodes: 4}}
	if diff := cmp.Diff(want, l.Snapshot().Autoscaler().Groups); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if err := configMaps.Delete(t.Context(), AutoscalerConfigMap, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	wait(t, func() bool { return !present() })
	if err := done(); err != nil {
		t.Errorf("end: %v", err)
	}
}

// A ConfigMap may come while the first list, that has none, is being thought about. Which of the two is first must not matter.
func TestAutoscalerThatComesAtFirst(t *testing.T) {
	for what, first := range map[string]func(*AutoscalerStatus){
		"the list first":      func(s *AutoscalerStatus) { s.noneListed(); s.set(autoscalerStatusOf(statusYAML)) },
		"the ConfigMap first": func(s *AutoscalerStatus) { s.set(autoscalerStatusOf(statusYAML)); s.noneListed() },
		"at the same time": func(s *AutoscalerStatus) {
			var both sync.WaitGroup
			both.Go(s.noneListed)
			both.Go(func() { s.set(autoscalerStatusOf(statusYAML)) })
			both.Wait()
		},
	} {
		t.Run(what, func(t *testing.T) {
			l := syncedLedger()
			s, err := NewAutoscalerStatus(fake.NewClientset(), l)
			if err != nil {
				t.Fatal(err)
			}
			if first(s); !l.Snapshot().Autoscaler().Unseen() {
				t.Errorf("the ledger has %+v", l.Snapshot().Autoscaler())
			}
		})
	}
	l := syncedLedger()
	s, err := NewAutoscalerStatus(fake.NewClientset(), l)
	if err != nil {
		t.Fatal(err)
	}
	s.set(autoscalerStatusOf(statusYAML))
	s.none()
	if s.noneListed(); l.Snapshot().Autoscaler().Present {
		t.Error("one that came and went is still there")
	}
}

// Where it must not be read, nobody waits, and pools stay elastic: nobody knows that there is no autoscaler.
func TestAutoscalerThatMayNotBeRead(t *testing.T) {
	client, l := fake.NewClientset(), syncedLedger()
	client.PrependReactor("list", "configmaps", func(clienttesting.Action) (bool, runtime.Object, error) {
		return true, nil, apierrors.NewForbidden(schema.GroupResource{Resource: "configmaps"}, AutoscalerConfigMap, nil)
	})
	s, err := NewAutoscalerStatus(client, l)
	if err != nil {
		t.Fatal(err)
	}
	done := start(t, s.Start)
	<-s.Answered()
	if !l.Snapshot().Autoscaler().Present {
		t.Error("it is said that there is none")
	}
	if err := done(); err != nil {
		t.Errorf("end: %v", err)
	}
}
