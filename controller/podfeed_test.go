// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"fmt"
	"runtime"
	"testing"

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
			slim := slimPod(p)
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

func TestReplicasHaveOneTemplate(t *testing.T) {
	f := newPodFeed()
	first, second := f.row(decoded(t, replicaOf(1, 0))), f.row(decoded(t, replicaOf(1, 1)))
	if first.Template == nil || first.Template != second.Template {
		t.Error("two replicas are of two templates")
	}
	waits := decoded(t, replicaOf(1, 2))
	waits.Spec.NodeName, waits.Status = "", corev1.PodStatus{}
	if row := f.row(waits); row.Template != first.Template || row.Placement == nil {
		t.Errorf("a replica that waits is of another template, or can go nowhere: %v", row.Placement)
	}
	updated := decoded(t, replicaOf(1, 1))
	updated.Spec.Containers[1].Image = "registry.example.com/proxy:v4"
	if third := f.row(updated); third.Template == first.Template || third.Images[1].Ref.String() != "registry.example.com/proxy:v4" || first.Images[1].Ref.String() != "registry.example.com/proxy:v3" {
		t.Error("a pod has the template or the image of another one")
	}
	forged := decoded(t, replicaOf(1, 1)) // Whoever may create pods in one namespace can name the controller of another's.
	forged.Namespace = "elsewhere"
	if f.row(forged).Template == first.Template {
		t.Error("pods of two namespaces are of one template")
	}
	debugged := decoded(t, replicaOf(1, 3))
	debugged.Spec.EphemeralContainers = []corev1.EphemeralContainer{{EphemeralContainerCommon: corev1.EphemeralContainerCommon{Name: "d", Image: "debug:1"}}}
	if row := f.row(debugged); row.Template != first.Template || len(row.Images) != 3 {
		t.Errorf("a pod that somebody debugs is of another template, or has %d images instead of 3", len(row.Images))
	}
	for about, change := range map[string]func(*corev1.Pod){
		"one that has finished": func(p *corev1.Pod) { p.Status.Phase = corev1.PodSucceeded },
		"one of a DaemonSet":    func(p *corev1.Pod) { p.OwnerReferences[0].Kind = "DaemonSet" },
	} {
		p := decoded(t, replicaOf(1, 4))
		change(p)
		if row := f.row(p); row.Template != nil {
			t.Errorf("%s has a template, which nobody asks for", about)
		}
	}
}

func TestNothingIsKeptOfPodsThatAreGone(t *testing.T) {
	f := newPodFeed()
	lasting := f.row(replicaOf(1, 0))
	for n := range 1000 {
		p := replicaOf(n, 0)
		p.OwnerReferences[0].UID = types.UID(fmt.Sprint("short-lived-", n))
		f.row(p)
	}
	wait(t, func() bool { // for the collector: one template of a thousand still has a pod
		runtime.GC()
		return f.templates.len() == 1
	})
	if another := f.row(replicaOf(1, 1)); another.Template != lasting.Template {
		t.Error("a template that still has pods has been forgotten")
	}
	runtime.KeepAlive(lasting)
}

func TestATemplatesPodIsWhatAnyOfItsPodsWas(t *testing.T) {
	for about, p := range map[string]*corev1.Pod{"a replica": replicaOf(1, 0), "one with everything": richPod()} {
		p = decoded(t, p)
		p.Spec.NodeName, p.Spec.SchedulingGates, p.Spec.EphemeralContainers = "n", nil, nil
		p.DeletionTimestamp, p.Status.Phase = nil, corev1.PodRunning
		want := slimPod(p)
		want.ResourceVersion, want.Status = "", corev1.PodStatus{}
		workloads := workloadsOf(heldOf([]*corev1.Pod{p}), "")
		if len(workloads) != 1 {
			t.Fatalf("%s is of %d workloads", about, len(workloads))
		}
		if diff := cmp.Diff(want, workloads[0].Pod); diff != "" {
			t.Errorf("%s (-slim +of its workload):\n%s", about, diff)
		}
	}
}
