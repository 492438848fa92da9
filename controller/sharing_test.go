// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"fmt"
	"runtime"
	"testing"
	"unsafe"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// TestWhatIsKeptOfAPodsTemplate is about the fields that no row of the ledger has.
func TestWhatIsKeptOfAPodsTemplate(t *testing.T) {
	owner := func(kind string) metav1.OwnerReference {
		return metav1.OwnerReference{APIVersion: "apps/v1", Kind: kind, Name: "web-5d4", UID: "rs", Controller: new(true), BlockOwnerDeletion: new(true)}
	}
	kept := func(kind string) []metav1.OwnerReference {
		return []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: kind, Name: "web-5d4", UID: "rs", Controller: new(true)}}
	}
	type template struct {
		Labels   map[string]string
		Owners   []metav1.OwnerReference
		Selector map[string]string
		Priority string
	}
	base := func() *corev1.Pod {
		return &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "web"}, OwnerReferences: []metav1.OwnerReference{
				{Kind: "Cluster", Name: "no controller"}, owner("ReplicaSet"),
			}},
			Spec:   corev1.PodSpec{NodeName: "n", NodeSelector: map[string]string{"pool": "a"}, PriorityClassName: "high"},
			Status: corev1.PodStatus{Phase: corev1.PodRunning},
		}
	}
	for name, test := range map[string]struct {
		change func(*corev1.Pod)
		want   template
	}{
		"a running pod": {
			func(*corev1.Pod) {},
			template{map[string]string{"app": "web"}, kept("ReplicaSet"), map[string]string{"pool": "a"}, "high"},
		},
		"one that is not bound": {
			func(p *corev1.Pod) { p.Spec.NodeName = "" },
			template{map[string]string{"app": "web"}, kept("ReplicaSet"), map[string]string{"pool": "a"}, "high"},
		},
		"one that nothing controls": {
			func(p *corev1.Pod) { p.OwnerReferences = p.OwnerReferences[:1] },
			template{map[string]string{"app": "web"}, nil, map[string]string{"pool": "a"}, "high"},
		},
		"one that has finished": {func(p *corev1.Pod) { p.Status.Phase = corev1.PodFailed }, template{}},
		"one of a DaemonSet":    {func(p *corev1.Pod) { p.OwnerReferences[1] = owner("DaemonSet") }, template{Owners: kept("DaemonSet")}},
		"a static one":          {func(p *corev1.Pod) { p.OwnerReferences[1] = owner("Node") }, template{Owners: kept("Node")}},
		"one of a StatefulSet, without its number": {
			func(p *corev1.Pod) {
				p.Labels["apps.kubernetes.io/pod-index"], p.Labels["statefulset.kubernetes.io/pod-name"] = "3", "web-3"
			},
			template{map[string]string{"app": "web"}, kept("ReplicaSet"), map[string]string{"pool": "a"}, "high"},
		},
		"one of a StatefulSet that is not bound, with it": {
			func(p *corev1.Pod) { p.Spec.NodeName, p.Labels["apps.kubernetes.io/pod-index"] = "", "3" },
			template{map[string]string{"app": "web", "apps.kubernetes.io/pod-index": "3"}, kept("ReplicaSet"), map[string]string{"pool": "a"}, "high"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := base()
			test.change(p)
			labels := len(p.Labels)
			slim := slimmed(t, SlimPod, p)
			got := template{slim.Labels, slim.OwnerReferences, slim.Spec.NodeSelector, slim.Spec.PriorityClassName}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("kept (-want +got):\n%s", diff)
			}
			if len(p.Labels) != labels {
				t.Error("the object that the transform was given has changed")
			}
		})
	}
}

func TestReplicasShareWhatIsEqual(t *testing.T) {
	s := newPodSharing()
	first, second := slimmed(t, s.transform, replicaOf(1, 0)), slimmed(t, s.transform, replicaOf(1, 1))
	if diff := cmp.Diff(slimmed(t, SlimPod, replicaOf(1, 1)), second); diff != "" {
		t.Fatalf("sharing changes the pod (-alone +shared):\n%s", diff)
	}
	for what, same := range map[string]bool{
		"controller":  &first.OwnerReferences[0] == &second.OwnerReferences[0],
		"containers":  &first.Spec.Containers[0] == &second.Spec.Containers[0],
		"tolerations": &first.Spec.Tolerations[0] == &second.Spec.Tolerations[0],
		"image ID":    unsafe.StringData(first.Status.ContainerStatuses[0].ImageID) == unsafe.StringData(second.Status.ContainerStatuses[0].ImageID),
	} {
		if !same {
			t.Errorf("the %s of two replicas are in memory twice", what)
		}
	}
	updated := replicaOf(1, 1)
	updated.Spec.Containers[1].Image = "registry.example.com/proxy:v4"
	third := slimmed(t, s.transform, updated)
	if third.Spec.Containers[1].Image != "registry.example.com/proxy:v4" || first.Spec.Containers[1].Image != "registry.example.com/proxy:v3" {
		t.Error("a pod has the image of another one")
	}
	if &third.Spec.Tolerations[0] != &first.Spec.Tolerations[0] {
		t.Error("what is still equal is not shared any more")
	}
}

// Whoever may create pods in one namespace can name the controller of another's: the other's go on sharing.
func TestPodsShareWithinTheirNamespace(t *testing.T) {
	s := newPodSharing()
	first := slimmed(t, s.transform, replicaOf(1, 0))
	forged := replicaOf(1, 1)
	forged.Namespace, forged.OwnerReferences[0].Name = "elsewhere", "forged"
	slimmed(t, s.transform, forged)
	if second := slimmed(t, s.transform, replicaOf(1, 2)); &second.Spec.Containers[0] != &first.Spec.Containers[0] {
		t.Error("a pod of another namespace keeps replicas from sharing")
	}
}

func TestNothingIsKeptOfPodsThatAreGone(t *testing.T) {
	s := newPodSharing()
	lasting := slimmed(t, s.transform, replicaOf(1, 0))
	for n := range 1000 {
		p := replicaOf(n, 0)
		p.OwnerReferences[0].UID = types.UID(fmt.Sprint("short-lived-", n))
		slimmed(t, s.transform, p)
	}
	wait(t, func() bool { // for the collector: one controller of a thousand still has a pod
		runtime.GC()
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(s.byOwner) == 1
	})
	another := slimmed(t, s.transform, replicaOf(1, 1))
	if &another.OwnerReferences[0] != &lasting.OwnerReferences[0] {
		t.Error("a controller that still has pods has been forgotten")
	}
	runtime.KeepAlive(lasting)
}
